import type { EventDraft } from './events.ts';
import type { CallFailure, RemoteJob, RemoteStatus } from './openreplay.ts';
import { DOUBTS_THAT_COUNT, nextPollAt } from './pace.ts';
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
import { countReported, currentRound, withCurrentRound, type Round, type Task } from './task.ts';
import type { NextWork, WaitReason } from './work.ts';

/** What a look at a round's job showed. */
export type PollResult =
  | { readonly kind: 'job'; readonly job: RemoteJob }
  /** Not known; `listed` when the whole list was read, not just the single job. */
  | { readonly kind: 'missing'; readonly listed: boolean }
  | { readonly kind: 'failure'; readonly failure: CallFailure }
  /** The budget of calls was spent before this job's turn. */
  | { readonly kind: 'not_asked' };

/** What follows from a look at the job. */
export function afterPoll(task: Task, result: PollResult, context: StepContext): TaskStep {
  const round = currentRound(task);
  if (round === undefined) throw new Error(`task ${task.id} is polled without a round`);
  switch (result.kind) {
    case 'not_asked':
      return {
        patch: {},
        events: [],
        next: waitFor(context.now + context.pace.polling.minIntervalMs, 'queued'),
      };
    case 'failure':
      return delayed(task, { kind: 'poll', failure: result.failure }, context);
    case 'missing':
      return afterMiss(task, result.listed, context);
    case 'job':
      return afterStatus({ task, round, status: result.job.status }, context);
    default:
      return result satisfies never;
  }
}

interface Sighting {
  readonly task: Task;
  readonly round: Round;
  readonly status: RemoteStatus;
}

function afterStatus(sighting: Sighting, context: StepContext): TaskStep {
  switch (sighting.status) {
    case 'scheduled':
    case 'running':
    case 'unknown':
      return stillOpen(sighting, context);
    case 'completed':
      return completed(sighting, context);
    case 'failed':
      return failed(sighting, context);
    case 'cancelled':
      return cancelledBySomebody(sighting, context);
    default:
      return sighting.status satisfies never;
  }
}

function stillOpen(sighting: Sighting, context: StepContext): TaskStep {
  const { task, round, status } = sighting;
  const seen = status === round.reported ? [] : [statusSeen(task, status)];
  const now = rfc3339(context.now);
  const { overdueMs, stalledMs } = context.pace.jobs;
  const lateMs = context.now - expectedStart(round);
  if (lateMs >= stalledMs) {
    const rounds = withCurrentRound(task, { reported: status, doubts: 0, stalledAt: now });
    const events = [...seen, noted(task, 'task.job_stalled', lateness(sighting, lateMs))];
    return { patch: { rounds }, events, next: { ...dueNow('cancel', context), reason: 'job_stalled' } };
  }
  const warns = lateMs >= overdueMs && round.overdueAt === undefined;
  const late = warns ? [noted(task, 'task.job_overdue', lateness(sighting, lateMs))] : [];
  const rounds = withCurrentRound(task, {
    ...{ reported: status, doubts: 0 },
    ...(warns && { overdueAt: now }),
  });
  const reason = status === 'scheduled' ? 'job_scheduled' : 'job_running';
  const next = waitFor(nextPollAt(round, context.now, context.pace), reason);
  return { patch: { rounds }, events: [...seen, ...late], next };
}

const NIGHT_MS = 86_400_000;

/** When the job should have begun at the latest: jobs run at night, so within a day where the server names no time. */
function expectedStart({ startAt, submittedAt, intendedAt }: Round): number {
  return startAt === null ? Date.parse(submittedAt ?? intendedAt) + NIGHT_MS : Date.parse(startAt);
}

function lateness({ task, status }: Sighting, lateMs: number) {
  return { ...seenData(task, status), late_minutes: Math.floor(lateMs / 60_000) };
}

/** `completed` is what OpenReplay reports; whether the data is gone is looked at next. */
function completed({ task, status }: Sighting, context: StepContext): TaskStep {
  const now = rfc3339(context.now);
  return {
    to: 'verifying',
    patch: {
      rounds: withCurrentRound(task, { reported: status, endedAt: now, doubts: 0 }),
      verifyingSince: now,
    },
    events: [moved(task, { to: 'verifying', type: 'task.job_status_seen', data: seenData(task, status) })],
    next: dueNow('verify', context),
  };
}

/** A failed job is final and nobody at OpenReplay tries it again: we ask anew, a few times. */
function failed({ task, status }: Sighting, context: StepContext): TaskStep {
  const rounds = withCurrentRound(task, { reported: status, endedAt: rfc3339(context.now), doubts: 0 });
  if (countReported({ ...task, rounds }, 'failed') >= context.pace.rounds.maxFailedJobs) {
    const before = [statusSeen(task, status)];
    return handedToPerson(
      task,
      { to: 'failed', attention: 'jobs_keep_failing', patch: { rounds }, before },
      context,
    );
  }
  return anotherRound(
    task,
    { patch: { rounds, verification: null }, because: 'job_failed', before: [statusSeen(task, status)] },
    context,
  );
}

/** A cancelled job can still turn into a completed one when the runner had it: look again, then ask anew. */
function cancelledBySomebody({ task, round, status }: Sighting, context: StepContext): TaskStep {
  const doubts = round.doubts + 1;
  const before = status === round.reported ? [] : [statusSeen(task, status)];
  if (doubts < DOUBTS_THAT_COUNT) {
    const rounds = withCurrentRound(task, { reported: status, doubts });
    return {
      patch: { rounds },
      events: before,
      next: waitFor(doubtfulUntil(doubts, context), 'job_cancelled_by_somebody'),
    };
  }
  const rounds = withCurrentRound(task, { reported: status, endedAt: rfc3339(context.now), doubts });
  if (countReported({ ...task, rounds }, 'cancelled') >= context.pace.rounds.maxFailedJobs) {
    const attention = 'jobs_keep_being_cancelled';
    return handedToPerson(task, { to: 'failed', attention, patch: { rounds }, before }, context);
  }
  return anotherRound(
    task,
    { patch: { rounds, verification: null }, because: 'job_cancelled', before },
    context,
  );
}

/** Any hiccup of a real server's database reads as 404, so only several, spaced out, and then the list, decide. */
function afterMiss(task: Task, listed: boolean, context: StepContext): TaskStep {
  const doubts = (currentRound(task)?.doubts ?? 0) + 1;
  if (doubts < DOUBTS_THAT_COUNT || !listed) {
    const rounds = withCurrentRound(task, { doubts });
    return {
      patch: { rounds },
      events: [noted(task, 'task.job_missing', { round: rounds.length, times: doubts, listed })],
      next: waitFor(doubtfulUntil(doubts, context), 'job_unknown'),
    };
  }
  const now = rfc3339(context.now);
  return {
    to: 'verifying',
    patch: {
      rounds: withCurrentRound(task, { reported: 'vanished', endedAt: now, doubts }),
      verifyingSince: now,
    },
    events: [
      moved(task, {
        to: 'verifying',
        type: 'task.job_missing',
        data: { round: task.rounds.length, times: doubts, listed },
      }),
    ],
    next: dueNow('verify', context),
  };
}

/** Whether the next look at this task's job has to read the whole list, since single reads keep missing it. */
export function mustReadList(task: Task): boolean {
  return (currentRound(task)?.doubts ?? 0) >= DOUBTS_THAT_COUNT - 1;
}

function anotherRound(
  task: Task,
  options: { patch: TaskStep['patch']; because: string; before: readonly EventDraft[] },
  context: StepContext,
): TaskStep {
  return {
    to: 'pending',
    patch: options.patch,
    events: [
      ...options.before,
      moved(task, { to: 'pending', type: 'task.round_needed', data: { because: options.because } }),
    ],
    next: dueNow('submit', context),
  };
}

function waitFor(at: number, reason: WaitReason): NextWork {
  return { kind: 'poll', at, reason, attempts: 0 };
}

function doubtfulUntil(doubts: number, context: StepContext): number {
  const { minIntervalMs, maxIntervalMs } = context.pace.polling;
  return context.now + Math.min(maxIntervalMs, minIntervalMs * 2 ** doubts);
}

function statusSeen(task: Task, status: RemoteStatus): EventDraft {
  return noted(task, 'task.job_status_seen', seenData(task, status));
}

function seenData(
  task: Task,
  status: RemoteStatus,
): { round: number; job_id: string | null; reported: string } {
  return { round: task.rounds.length, job_id: currentRound(task)?.jobId ?? null, reported: status };
}
