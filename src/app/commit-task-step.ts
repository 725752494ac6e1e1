import { rollUp, type ErasureRequest } from '../domain/request.ts';
import { requestStatesBefore, TASK_TRANSITIONS, taskStatesBefore } from '../domain/states.ts';
import type { StepContext, TaskStep } from '../domain/task-step.ts';
import type { Task } from '../domain/task.ts';
import type { NextWork } from '../domain/work.ts';
import type { Deps, Transaction, Work } from './ports.ts';
import { recordEvents } from './record-events.ts';

/** Decides what follows from an outcome, from the task as it is in the transaction. Pure. */
export type Decide = (task: Task, context: StepContext) => TaskStep;

/**
 * Writes the outcome of a step: state, audit events, the request's own state and the next work, in one transaction.
 * A worker whose lease was lost meanwhile changes nothing.
 *
 * @returns whether the outcome was written
 */
export async function commitTaskStep(deps: Deps, work: Work, decide: Decide): Promise<boolean> {
  const next = await deps.store.transaction(async (tx) => {
    const request = await tx.lockRequest(work.requestId);
    if (request === undefined) return undefined;
    const tasks = await tx.listTasks(request.id);
    const task = tasks.find((candidate) => candidate.id === work.taskId);
    if (task === undefined) return undefined;
    const step = decide(task, contextOf(deps, { tx, request, attempts: work.attempts }));
    const following = redirected(step.next, request, tx.now);
    // The lease is given back first: if it is no longer ours, the transaction has written nothing.
    const ours = following ? await tx.rescheduleWork(work, following) : await tx.deleteWork(work);
    if (!ours) return undefined;
    await writeStep(tx, { deps, request, tasks, task }, step);
    return { at: following?.at, now: tx.now.getTime() };
  });
  if (next?.at !== undefined && next.at <= next.now) deps.workIsDue();
  return next !== undefined;
}

/** What a step may know, from the transaction it is decided in. */
export function contextOf(
  deps: Pick<Deps, 'pace' | 'random'>,
  from: { tx: Transaction; request: ErasureRequest; attempts: number },
): StepContext {
  return {
    now: from.tx.now.getTime(),
    pace: deps.pace,
    random: deps.random(),
    attempts: from.attempts,
    cancelRequested: from.request.cancelRequestedAt !== null,
  };
}

/** Once somebody has asked to cancel, nothing more is asked of OpenReplay but to cancel. */
function redirected(next: NextWork | null, request: ErasureRequest, now: Date): NextWork | null {
  if (next === null || request.cancelRequestedAt === null) return next;
  if (next.kind !== 'submit' && next.kind !== 'poll') return next;
  return { kind: 'cancel', at: now.getTime(), reason: 'queued', attempts: 0 };
}

/** A request with all its tasks, as one transaction sees them. */
export interface RequestScope {
  readonly request: ErasureRequest;
  readonly tasks: readonly Task[];
}

/**
 * Writes the step's task, its events, and where the tasks now take the request.
 *
 * @returns request and tasks as they are afterwards
 */
export async function writeStep(
  tx: Transaction,
  scope: RequestScope & { deps: Pick<Deps, 'encodeEvent'>; task: Task },
  step: Pick<TaskStep, 'to' | 'patch' | 'events'>,
): Promise<RequestScope> {
  const { deps, request, task } = scope;
  await writeTask(tx, task, step);
  const after: Task = { ...task, ...step.patch, state: step.to ?? task.state };
  const tasks = scope.tasks.map((other) => (other.id === task.id ? after : other));
  const move = rollUp(request, tasks);
  const eventCount = await recordEvents(
    tx,
    { deps, request },
    move ? [...step.events, move.event] : step.events,
  );
  if (move === undefined) return { request: { ...request, eventCount }, tasks };
  const patch = {
    state: move.to,
    attention: move.attention,
    ...(move.to === 'completed' && { completedAt: tx.now }),
  };
  const changed = await tx.updateRequest(request.id, requestStatesBefore(move.to), patch);
  if (!changed) throw new Error(`request ${request.id} cannot go from ${request.state} to ${move.to}`);
  return { request: { ...request, ...patch, eventCount }, tasks };
}

async function writeTask(tx: Transaction, task: Task, step: Pick<TaskStep, 'to' | 'patch'>): Promise<void> {
  if (step.to === undefined) {
    if (Object.keys(step.patch).length > 0) await tx.updateTask(task.id, [task.state], step.patch);
    return;
  }
  const allowed: readonly string[] = TASK_TRANSITIONS[task.state];
  const changed =
    allowed.includes(step.to) &&
    (await tx.updateTask(task.id, taskStatesBefore(step.to), { ...step.patch, state: step.to }));
  if (!changed) throw new Error(`task ${task.id} cannot go from ${task.state} to ${step.to}`);
}
