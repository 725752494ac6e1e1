import { rollUp, type ErasureRequest } from '../domain/request.ts';
import { requestStatesBefore, TASK_TRANSITIONS, taskStatesBefore, type TaskState } from '../domain/states.ts';
import type { StepContext, TaskStep } from '../domain/task-step.ts';
import type { Task } from '../domain/task.ts';
import type { NextWork } from '../domain/work.ts';
import { movingRequest, type ClosingDeps } from './closing.ts';
import { encodeEvents } from './encode-events.ts';
import type { Change, Deps, RequestScope, Transaction, Work } from './ports.ts';

/** Decides what follows from an outcome, from the task as it is in the transaction. Pure. */
export type Decide = (task: Task, context: StepContext) => TaskStep;

/**
 * Writes the outcome of a step: state, audit events, the request's own state and the next work, in one transaction.
 * A worker whose lease was lost meanwhile changes nothing.
 *
 * @returns whether the outcome was written
 */
export async function commitTaskStep(deps: Deps, work: Work, decide: Decide): Promise<boolean> {
  const next = await deps.store.withRequest(work.requestId, async (tx, scope) => {
    const task = scope?.tasks.find((candidate) => candidate.id === work.taskId);
    if (scope === undefined || task === undefined) return undefined;
    const { request, tasks } = scope;
    const step = decide(task, contextOf(deps, { tx, request, work }));
    if (step.to === 'erased') await noteErasure(deps, scope, task);
    const following = redirected(step.next, { request, state: step.to ?? task.state, now: tx.now });
    const after = await writeStep(
      tx,
      { deps, request, tasks, task, work: { lease: work, next: following } },
      step,
    );
    return after && { at: following?.at, now: tx.now.getTime() };
  });
  if (next?.at !== undefined && next.at <= next.now) deps.workIsDue();
  return next !== undefined;
}

/**
 * Notes an erasure outside the database before it is called one: a line too many, for what was not committed after all,
 * costs a look; one too few would bring an erased person back with a backup.
 */
async function noteErasure(
  { journal, vault }: Pick<Deps, 'journal' | 'vault'>,
  { request, usersSealed, dataKey }: Pick<RequestScope, 'request' | 'usersSealed' | 'dataKey'>,
  task: Task,
): Promise<void> {
  const userSealed = usersSealed.get(task.id);
  if (userSealed === undefined || task.projectKey === null)
    throw new Error('an erasure of nobody, or nowhere');
  const { userId } = vault.boxOf(dataKey).openSubject(task.id, userSealed);
  if (userId === undefined) throw new Error('a task without a user id');
  const { connection, projectKey } = task;
  const { regulation, receivedAt } = request;
  // It is read when the request, and its key, may be gone with the database.
  const sealed = vault.lasting.sealText(task.id, userId, 'journal');
  const ids = { requestId: request.id, taskId: task.id };
  await journal.append({ at: new Date(), ...ids, connection, projectKey, regulation, receivedAt, sealed });
}

/** What a step may know, from the transaction it is decided in. */
export function contextOf(
  deps: Pick<Deps, 'pace' | 'random'>,
  from: { tx: Transaction; request: ErasureRequest; work: Pick<Work, 'attempts' | 'failingSince'> },
): StepContext {
  return {
    now: from.tx.now.getTime(),
    pace: deps.pace,
    random: deps.random(),
    attempts: from.work.attempts,
    failingSince: from.work.failingSince?.getTime() ?? null,
    dueAt: dueAt(from.request),
    cancelRequested: from.request.cancelRequestedAt !== null,
    onHold: from.request.state === 'on_hold',
  };
}

function dueAt({ clock, extendedAt }: ErasureRequest): number | null {
  if (clock === null) return null;
  return Date.parse(`${extendedAt === null ? clock.dueOn : clock.extendedDueOn}T00:00:00Z`);
}

/**
 * Once somebody has asked to cancel, or while a hold stands, nothing more is asked of OpenReplay but to cancel. Under a
 * hold the next round is left out altogether: the release makes the work for it. A submission without an answer is no
 * such round: it may have arrived.
 *
 * @param after.state of the task
 */
function redirected(
  next: NextWork | null,
  after: { request: ErasureRequest; state: TaskState; now: Date },
): NextWork | null {
  const { request, state, now } = after;
  const cancelling = request.cancelRequestedAt !== null;
  const holding = request.state === 'on_hold';
  if (next === null || !(cancelling || holding)) return next;
  if (next.kind === 'submit' && state === 'pending' && !cancelling) return null;
  if (next.kind !== 'submit' && next.kind !== 'poll') return next;
  return { kind: 'cancel', at: now.getTime(), reason: 'queued', attempts: 0 };
}

/** A request with all its tasks, as one transaction sees them. */
export interface RequestTasks {
  readonly request: ErasureRequest;
  readonly tasks: readonly Task[];
}

/**
 * Writes the step's task, its events, and where the tasks now take the request; with `work`, only if it is still ours.
 *
 * @returns request and tasks as they are afterwards; undefined when the work is no longer ours
 */
export async function writeStep(
  tx: Transaction,
  scope: RequestTasks & { deps: ClosingDeps; task: Task; work?: Change['work'] },
  step: Pick<TaskStep, 'to' | 'patch' | 'events'>,
): Promise<RequestTasks | undefined> {
  const { deps, request, task, work } = scope;
  const after: Task = { ...task, ...step.patch, state: step.to ?? task.state };
  const tasks = scope.tasks.map((other) => (other.id === task.id ? after : other));
  const move = rollUp(request, tasks);
  const drafts = move ? [...step.events, move.event] : step.events;
  const patch = move && {
    state: move.to,
    attention: move.attention,
    ...(move.to === 'completed' && { completedAt: tx.now, outcome: 'erased' as const }),
    ...(request.state === 'on_hold' && { heldFrom: null, heldBy: null }),
  };
  const written = await tx.write(request.id, {
    ...(work && { work }),
    ...taskChange(task, step),
    ...(move &&
      patch &&
      movingRequest(deps, { request, now: tx.now }, { from: requestStatesBefore(move.to), patch })),
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
  if (!written) return undefined;
  return { request: { ...request, ...patch, eventCount: request.eventCount + drafts.length }, tasks };
}

function taskChange(task: Task, { to, patch }: Pick<TaskStep, 'to' | 'patch'>): Pick<Change, 'task'> {
  if (to === undefined) {
    return Object.keys(patch).length > 0 ? { task: { id: task.id, from: [task.state], patch } } : {};
  }
  const allowed: readonly string[] = TASK_TRANSITIONS[task.state];
  if (!allowed.includes(to)) throw new Error(`task ${task.id} cannot go from ${task.state} to ${to}`);
  return { task: { id: task.id, from: taskStatesBefore(to), patch: { ...patch, state: to } } };
}
