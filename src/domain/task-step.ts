import { LETHE, type EventData, type EventDraft, type EventType } from './events.ts';
import type { CallFailure } from './openreplay.ts';
import { backoffMs, type Pace } from './pace.ts';
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

/** The step failed for now and is tried again later; the attempt is on record. */
export function delayed(
  task: Task,
  step: { kind: WorkKind; failure: CallFailure; patch?: TaskPatch },
  context: StepContext,
): TaskStep {
  const attempts = context.attempts + 1;
  const waitMs = backoffMs(step.failure, attempts, context);
  const reason = waitReasonOf(step.failure);
  return {
    patch: step.patch ?? {},
    events: [noted(task, 'task.step_delayed', { step: step.kind, reason, attempts, wait_ms: waitMs })],
    next: { kind: step.kind, at: context.now + waitMs, reason, attempts },
  };
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
