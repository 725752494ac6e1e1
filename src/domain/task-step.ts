import { LETHE, type EventData, type EventDraft, type EventType } from './events.ts';
import type { CallFailure } from './openreplay.ts';
import { backoffMs, giveUpAt, isMood, type Pace } from './pace.ts';
import type { TaskState } from './states.ts';
import type { Task, TaskAttention } from './task.ts';
import { waitReasonOf, type NextWork, type WorkKind } from './work.ts';

/** What a step may know besides the task: the database's time, the policy, and luck for the jitter. */
export interface StepContext {
  /** Epoch ms, from the database. */
  readonly now: number;
  readonly pace: Pace;
  /** In [0, 1). */
  readonly random: number;
  /** Attempts at this step that failed in a row so far. */
  readonly attempts: number;
  /** Epoch ms: since when this step has been failing; null when its last attempt did not. */
  readonly failingSince: number | null;
  /** Epoch ms: when the request's last day begins, counted in UTC; null where no law sets one. */
  readonly dueAt: number | null;
  /** Somebody asked to cancel the request. */
  readonly cancelRequested: boolean;
  /** A legal hold: nothing more may be deleted, and what is scheduled is called back. */
  readonly onHold: boolean;
}

export type TaskPatch = Partial<
  Pick<Task, 'rounds' | 'attention' | 'verification' | 'verifyingSince' | 'liveSince'>
>;

/** What one step decided: all of it is written in one transaction, or nothing is. */
export interface TaskStep {
  /** The state to go to; absent where it stays. */
  readonly to?: TaskState;
  readonly patch: TaskPatch;
  readonly events: readonly EventDraft[];
  /** Null when nothing is left to do for the task. */
  readonly next: NextWork | null;
}

export interface Movement {
  readonly to: TaskState;
  readonly type: EventType;
  readonly data?: EventData;
}

/** An event of the task that tells of a change of state. */
export function moved(task: Task, movement: Movement): EventDraft {
  return {
    type: movement.type,
    actor: LETHE,
    taskId: task.id,
    change: { from: task.state, to: movement.to },
    ...(movement.data && { data: movement.data }),
  };
}

/** An event of the task that tells of something seen, without a change of state. */
export function noted(task: Task, type: EventType, data: EventData = {}): EventDraft {
  return { type, actor: LETHE, taskId: task.id, data };
}

/** Work that is due at once. */
export function dueNow(kind: WorkKind, context: StepContext): NextWork {
  return { kind, at: context.now, reason: 'queued', attempts: 0 };
}

/**
 * The next time to look again at who was erased; null after the last.
 *
 * @param erasedAt epoch ms
 */
export function nextLook(erasedAt: number, { now, pace }: StepContext): NextWork | null {
  const age = pace.sentinelAgesMs.find((one) => one > now - erasedAt);
  return age === undefined ? null : { kind: 'sentinel', at: erasedAt + age, reason: 'sentinel', attempts: 0 };
}

interface FailedStep {
  readonly kind: WorkKind;
  readonly failure: CallFailure;
  readonly patch?: TaskPatch;
}

/**
 * The step failed for now and is tried again later; the attempt is on record. A step that keeps failing goes to a person
 * while there is still time for one to act. A call that was not even made is no attempt.
 */
export function delayed(task: Task, step: FailedStep, context: StepContext): TaskStep {
  const { kind, failure, patch = {} } = step;
  const reason = waitReasonOf(failure);
  if (failure.kind === 'withheld') {
    const { attempts, failingSince } = context;
    const since = failingSince === null ? {} : { failingSince };
    return { patch, events: [], next: { kind, at: failure.untilMs, reason, attempts, ...since } };
  }
  // The server's mood says nothing about this step.
  const attempts = isMood(failure) ? context.attempts : context.attempts + 1;
  const failingSince = context.failingSince ?? context.now;
  const waitMs = backoffMs(failure, attempts, context);
  const event = noted(task, 'task.step_delayed', { step: kind, reason, attempts, wait_ms: waitMs });
  if (isGivenUp(kind, failingSince, context)) {
    const attention = 'openreplay_keeps_failing';
    return handedToPerson(task, { to: 'failed', attention, patch, before: [event] }, context);
  }
  return {
    patch,
    events: [event],
    next: { kind, at: context.now + waitMs, reason, attempts, failingSince },
  };
}

/** A request to call back what may still run is never given up: nobody could say what became of it. */
function isGivenUp(kind: WorkKind, failingSince: number, context: StepContext): boolean {
  if (kind !== 'submit' && kind !== 'poll' && kind !== 'verify') return false;
  return context.now >= giveUpAt(failingSince, context);
}

/** The task cannot move on without a person; of a request that somebody asked to cancel, it ends. */
export function handedToPerson(
  task: Task,
  options: {
    to: 'failed' | 'residue';
    attention: TaskAttention;
    patch?: TaskPatch;
    before?: readonly EventDraft[];
  },
  context: StepContext,
): TaskStep {
  const { to, attention, patch = {}, before = [] } = options;
  if (context.cancelRequested) return cancelledTask(task, { patch, before });
  return {
    to,
    patch: { ...patch, attention },
    events: [...before, moved(task, { to, type: `task.${to}`, data: { reason: attention } })],
    next: null,
  };
}

/** The task ends because its request was cancelled. */
export function cancelledTask(
  task: Task,
  options: { patch?: TaskPatch; before?: readonly EventDraft[] } = {},
): TaskStep {
  return {
    to: 'cancelled',
    patch: { ...options.patch, attention: null },
    events: [...(options.before ?? []), moved(task, { to: 'cancelled', type: 'task.cancelled' })],
    next: null,
  };
}

/** RFC 3339 of epoch ms. */
export function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
