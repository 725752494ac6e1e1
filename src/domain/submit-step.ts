import type { EventDraft } from './events.ts';
import type { CallFailure, RemoteJob, RemoteStatus } from './openreplay.ts';
import { nextPollAt } from './pace.ts';
import {
  delayed,
  dueNow,
  handedToPerson,
  moved,
  noted,
  rfc3339,
  type StepContext,
  type TaskStep,
} from './task-step.ts';
import { currentRound, withCurrentRound, type Round, type Task } from './task.ts';
import type { NextWork } from './work.ts';

/** What came of asking OpenReplay to delete the user. */
export type SubmitResult =
  | {
      readonly kind: 'job';
      readonly job: RemoteJob;
      readonly adopted: boolean;
      readonly sessionsBefore: number | null;
    }
  | { readonly kind: 'no_such_user'; readonly sessionsBefore: number | null }
  | { readonly kind: 'failure'; readonly failure: CallFailure; readonly sessionsBefore: number | null };

/**
 * The intent, recorded before anything is sent: a new round, or the resumption of one whose answer never came.
 * A worker that finds such a round looks for its job at OpenReplay before it would ask again.
 */
export function intendSubmission(task: Task, context: StepContext): Omit<TaskStep, 'next'> {
  const open = currentRound(task);
  if (task.state === 'submitting' && open !== undefined) {
    return { patch: {}, events: [noted(task, 'task.submission_resumed', { round: open.number })] };
  }
  const round: Round = {
    number: task.rounds.length + 1,
    jobId: null,
    adopted: false,
    reported: null,
    // The verification just before this round has counted already.
    sessionsBefore: task.verification?.sessionsFound ?? null,
    intendedAt: rfc3339(context.now),
    submittedAt: null,
    startAt: null,
    endedAt: null,
    doubts: 0,
  };
  return {
    to: 'submitting',
    patch: { rounds: [...task.rounds, round], verifyingSince: null },
    events: [
      moved(task, { to: 'submitting', type: 'task.submission_intended', data: { round: round.number } }),
    ],
  };
}

/** What follows from OpenReplay's answer to the delete (or from the job found in its stead). */
export function afterSubmit(task: Task, result: SubmitResult, context: StepContext): TaskStep {
  switch (result.kind) {
    case 'job':
      return submitted(task, result, context);
    case 'no_such_user':
      return noSuchUser(task, result.sessionsBefore, context);
    case 'failure':
      return notSubmitted(task, result, context);
    default:
      return result satisfies never;
  }
}

function submitted(
  task: Task,
  result: Extract<SubmitResult, { kind: 'job' }>,
  context: StepContext,
): TaskStep {
  const { job, adopted, sessionsBefore } = result;
  const startAt = job.startAt === undefined ? null : rfc3339(job.startAt);
  const answer = { jobId: job.jobId, adopted, reported: job.status, sessionsBefore, startAt };
  const rounds = withCurrentRound(task, { ...answer, submittedAt: rfc3339(context.now) });
  const data = {
    round: rounds.length,
    job_id: job.jobId,
    adopted,
    reported: job.status,
    sessions_before: sessionsBefore,
    start_at: startAt,
  };
  return {
    to: 'submitted',
    patch: { rounds },
    events: [moved(task, { to: 'submitted', type: 'task.submitted', data })],
    next: firstPoll(rounds.at(-1), job.status, context),
  };
}

function firstPoll(round: Round | undefined, status: RemoteStatus, context: StepContext): NextWork {
  const ended = status === 'completed' || status === 'failed' || status === 'cancelled';
  // A job that ended while nobody looked is read by the poll like any other.
  const at = round === undefined || ended ? context.now : nextPollAt(round, context.now, context.pace);
  return { kind: 'poll', at, reason: status === 'running' ? 'job_running' : 'job_scheduled', attempts: 0 };
}

/** The contract's 404 is no proof of erasure: it is verified by reading like everything else. */
function noSuchUser(task: Task, sessionsBefore: number | null, context: StepContext): TaskStep {
  const now = rfc3339(context.now);
  const rounds = withCurrentRound(task, {
    reported: 'no_such_user',
    sessionsBefore,
    submittedAt: now,
    endedAt: now,
  });
  return {
    to: 'verifying',
    patch: { rounds, verifyingSince: now },
    events: [moved(task, { to: 'verifying', type: 'task.no_such_user', data: { round: rounds.length } })],
    next: dueNow('verify', context),
  };
}

function notSubmitted(
  task: Task,
  result: Extract<SubmitResult, { kind: 'failure' }>,
  context: StepContext,
): TaskStep {
  const { failure, sessionsBefore } = result;
  const patch = { rounds: withCurrentRound(task, { sessionsBefore }) };
  if (failure.kind === 'rejected' || failure.kind === 'unsendable') {
    const before: EventDraft[] =
      failure.kind === 'rejected'
        ? [noted(task, 'task.step_delayed', { step: 'submit', status: failure.status })]
        : [];
    const attention = failure.kind === 'rejected' ? 'submission_rejected' : 'unsendable';
    return handedToPerson(task, { to: 'failed', attention, patch, before }, context);
  }
  return delayed(task, { kind: 'submit', failure, patch }, context);
}
