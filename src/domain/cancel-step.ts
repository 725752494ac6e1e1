import type { CallFailure, RemoteJob } from './openreplay.ts';
import { DOUBTS_THAT_COUNT } from './pace.ts';
import {
  cancelledTask,
  delayed,
  dueNow,
  handedToPerson,
  moved,
  noted,
  rfc3339,
  type StepContext,
  type TaskPatch,
  type TaskStep,
} from './task-step.ts';
import { currentRound, withCurrentRound, type Task } from './task.ts';

/** What came of cancelling a task at OpenReplay: the job as read again afterwards. */
export type CancelResult =
  /** Nothing of the task runs at OpenReplay. */
  | { readonly kind: 'no_job' }
  | { readonly kind: 'job'; readonly job: RemoteJob; readonly asked: boolean }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failure'; readonly failure: CallFailure };

/** What follows from an attempt to cancel. What OpenReplay did counts, not what it was asked. */
export function afterCancel(task: Task, result: CancelResult, context: StepContext): TaskStep {
  switch (result.kind) {
    case 'no_job':
      return calledBack(task, {}, context);
    case 'failure':
      return delayed(task, { kind: 'cancel', failure: result.failure }, context);
    case 'missing':
      return missing(task, context);
    case 'job':
      return afterReadAgain(task, result, context);
    default:
      return result satisfies never;
  }
}

function afterReadAgain(
  task: Task,
  result: Extract<CancelResult, { kind: 'job' }>,
  context: StepContext,
): TaskStep {
  const { job, asked } = result;
  const data = { round: task.rounds.length, job_id: job.jobId, reported: job.status };
  const before = asked ? [noted(task, 'task.job_cancel_asked', data)] : [];
  const ended = { jobId: job.jobId, reported: job.status, endedAt: rfc3339(context.now) };
  switch (job.status) {
    case 'cancelled':
    case 'failed':
      return calledBack(task, { patch: { rounds: withCurrentRound(task, ended) }, before }, context);
    case 'completed':
      return tooLate(task, { patch: { rounds: withCurrentRound(task, ended) }, before }, context);
    case 'scheduled':
    case 'running':
    case 'unknown': {
      // The job still stands, so the cancelling is tried again, at the pace of any retry.
      const step = { kind: 'cancel', failure: { kind: 'unreadable', status: 200 } } as const;
      return delayed(
        task,
        { ...step, patch: { rounds: withCurrentRound(task, { jobId: job.jobId }) } },
        context,
      );
    }
    default:
      return job.status satisfies never;
  }
}

/**
 * Nothing runs at OpenReplay any more. Of a cancelled request that is the end; under a hold the task waits for the
 * release, and after one it goes on at once.
 */
function calledBack(
  task: Task,
  step: { patch?: TaskPatch; before?: TaskStep['events'] },
  context: StepContext,
): TaskStep {
  if (context.cancelRequested) return cancelledTask(task, step);
  if (isStalled(task) && !context.onHold) return askedAnew(task, step, context);
  const next = context.onHold ? null : dueNow('submit', context);
  if (task.state === 'pending') return { patch: step.patch ?? {}, events: step.before ?? [], next };
  const event = moved(task, { to: 'pending', type: 'task.withdrawn', data: { round: task.rounds.length } });
  return { to: 'pending', patch: step.patch ?? {}, events: [...(step.before ?? []), event], next };
}

function isStalled(task: Task): boolean {
  return currentRound(task)?.stalledAt !== undefined;
}

/** A job that never began is asked for anew once; after that a person looks at the server. */
function askedAnew(
  task: Task,
  { patch = {}, before = [] }: { patch?: TaskPatch; before?: TaskStep['events'] },
  context: StepContext,
): TaskStep {
  const stalled = task.rounds.filter((round) => round.stalledAt !== undefined).length;
  if (stalled > 1)
    return handedToPerson(task, { to: 'failed', attention: 'jobs_keep_stalling', patch, before }, context);
  const event = moved(task, { to: 'pending', type: 'task.round_needed', data: { because: 'job_stalled' } });
  return {
    to: 'pending',
    patch: { ...patch, verification: null },
    events: [...before, event],
    next: dueNow('submit', context),
  };
}

/** The job ran before it could be cancelled: what it did is looked at, as after any other job. */
function tooLate(
  task: Task,
  step: Pick<TaskStep, 'patch'> & { before: TaskStep['events'] },
  context: StepContext,
): TaskStep {
  const patch = { ...step.patch, verifyingSince: rfc3339(context.now) };
  const reported = step.patch.rounds?.at(-1)?.reported ?? null;
  const event = moved(task, {
    to: 'verifying',
    type: 'task.job_status_seen',
    data: { reported },
  });
  return { to: 'verifying', patch, events: [...step.before, event], next: dueNow('verify', context) };
}

function missing(task: Task, context: StepContext): TaskStep {
  const doubts = (currentRound(task)?.doubts ?? 0) + 1;
  const rounds = withCurrentRound(task, { doubts });
  if (doubts < DOUBTS_THAT_COUNT) {
    const at = context.now + context.pace.polling.minIntervalMs * 2 ** doubts;
    const events = [noted(task, 'task.job_missing', { round: rounds.length, times: doubts, listed: false })];
    return { patch: { rounds }, events, next: { kind: 'cancel', at, reason: 'job_unknown', attempts: 0 } };
  }
  return tooLate(
    task,
    { patch: { rounds: withCurrentRound(task, { doubts, reported: 'vanished' }) }, before: [] },
    context,
  );
}
