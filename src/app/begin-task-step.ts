import { LETHE } from '../domain/events.ts';
import type { TaskState } from '../domain/states.ts';
import { intendSubmission } from '../domain/submit-step.ts';
import type { Task } from '../domain/task.ts';
import type { NextWork } from '../domain/work.ts';
import { mayErase, type ErasureRequest } from '../domain/request.ts';
import { contextOf, writeStep } from './commit-task-step.ts';
import { putOnHold } from './hold.ts';
import type { DataKey, Deps, RequestScope, Transaction, Work, WorkLease } from './ports.ts';
import type { Box } from './ports/vault.ts';

/** A step in a worker's hands: what to do, for whom, and the lease that the outcome needs. */
export interface BegunStep {
  readonly work: Work;
  readonly task: Task & { readonly projectKey: string };
  readonly subject: { readonly userId: string };
  /** Of the task's request. */
  readonly dataKey: DataKey;
  /** The task was in this state when the step was taken: an intent without an answer, for a submission. */
  readonly resumed: boolean;
}

/**
 * Takes handed-out work, so that of two deliveries one does it.
 *
 * @returns undefined when the work went elsewhere or is no longer to be done
 */
export async function beginTaskStep(deps: Deps, lease: WorkLease): Promise<BegunStep | undefined> {
  const [work] = await deps.store.takeWork([lease], deps.leaseMs);
  if (work?.taskId == null) return undefined;
  return begin(deps, { work, scope: await deps.store.findScope(work.requestId) });
}

/**
 * Records that a user is about to be deleted, before anything is sent. It is the last look before it: a hold that stands
 * now wins, whenever it was made.
 *
 * @returns the step with the round that was begun; undefined when nothing may be sent
 */
export async function intendDeletion(deps: Deps, { work }: BegunStep): Promise<BegunStep | undefined> {
  return deps.store.withRequest(work.requestId, (tx, scope) => intend(tx, deps, { work, scope }));
}

/**
 * Looks once more, when other calls were made since the intent: a hold or a wish to cancel that has come meanwhile, or
 * another worker, wins. What comes between this look and the deletion is called back when the answer is written.
 *
 * @returns whether the deletion may be sent
 */
export async function mayStillDelete(deps: Deps, intended: BegunStep): Promise<boolean> {
  if (await deps.store.mayDelete(intended.work)) return true;
  return (await intendDeletion(deps, intended)) !== undefined;
}

interface Beginning {
  readonly work: Work;
  readonly scope: RequestScope | undefined;
}

async function begin(deps: Deps, { work, scope }: Beginning): Promise<BegunStep | undefined> {
  const task = scope?.tasks.find((candidate) => candidate.id === work.taskId);
  if (scope !== undefined && task !== undefined && STATES_OF_WORK[work.kind].includes(task.state)) {
    const { dataKey } = scope;
    if (dataKey === null) throw new Error(`the user id of task ${task.id} is kept no longer`);
    return routable({
      work,
      task,
      dataKey,
      subject: { userId: userOf(deps.vault.boxOf(dataKey), scope, task) },
      resumed: task.state === 'submitting',
    });
  }
  // What does not fit went elsewhere meanwhile. Work that is still ours cannot be reached by the transitions; it is kept
  // from going round for ever, and said aloud.
  const fields = { workId: work.id, kind: work.kind, state: task?.state };
  const dropped = await deps.store.deleteWork(work);
  if (dropped) deps.log.error(fields, 'work does not fit its task; dropped');
  return undefined;
}

/** The user id that the task erases; tasks of the first versions had the request's. */
function userOf(box: Box, scope: RequestScope, task: Task): string {
  const ofTask = scope.usersSealed.get(task.id);
  const subject =
    ofTask === undefined
      ? scope.subjectSealed && box.openSubject(scope.request.id, scope.subjectSealed)
      : box.openSubject(task.id, ofTask);
  if (!subject?.userId) throw new Error(`the user id of task ${task.id} is kept no longer`);
  return subject.userId;
}

async function intend(tx: Transaction, deps: Deps, beginning: Beginning): Promise<BegunStep | undefined> {
  const begun = await begin(deps, beginning);
  if (begun === undefined || beginning.scope === undefined) return undefined;
  const { work, task } = begun;
  const { request, tasks, standingHold } = beginning.scope;
  if (request.state === 'on_hold' || standingHold || request.cancelRequestedAt !== null) {
    await keepFromSubmitting(tx, deps, { begun, request, standingHold });
    return undefined;
  }
  if (!mayErase(request)) {
    // Cannot be reached, and must never be: no deletion before the subject has got what they asked for.
    deps.log.error({ workId: work.id, state: request.state }, 'a deletion that is not to be; dropped');
    await tx.write(request.id, { work: { lease: work, next: null }, events: [] });
    return undefined;
  }
  const intent = intendSubmission(task, contextOf(deps, { tx, request, work }));
  const after = await writeStep(
    tx,
    { deps, request, tasks, task, work: { lease: work, next: 'kept' } },
    intent,
  );
  return after && routable({ ...begun, task: after.tasks.find((other) => other.id === task.id) ?? task });
}

/** An intent without an answer may have reached OpenReplay: its job is looked for, and called back. */
async function keepFromSubmitting(
  tx: Transaction,
  deps: Deps,
  of: { begun: BegunStep; request: ErasureRequest; standingHold: boolean },
): Promise<void> {
  const { begun, request, standingHold } = of;
  const callBack: NextWork = { kind: 'cancel', at: tx.now.getTime(), reason: 'queued', attempts: 0 };
  const calledBack = begun.resumed || request.cancelRequestedAt !== null;
  const work = { lease: begun.work, next: calledBack ? callBack : null };
  if (standingHold && request.state !== 'on_hold') {
    await putOnHold(tx, deps, { request, heldBy: 'standing_hold', actor: LETHE, work });
  } else await tx.write(request.id, { work, events: [] });
}

const STATES_OF_WORK: Readonly<Record<Work['kind'], readonly TaskState[]>> = {
  discover: [],
  gather: ['pending'],
  package: [],
  expire_package: [],
  submit: ['pending', 'submitting'],
  poll: ['submitted'],
  verify: ['verifying'],
  sentinel: ['erased'],
  destroy: [],
  judge: [],
  cancel: ['pending', 'submitting', 'submitted'],
};

function routable(step: Omit<BegunStep, 'task'> & { task: Task }): BegunStep {
  const { projectKey } = step.task;
  if (projectKey === null) throw new Error(`task ${step.task.id} names no project`);
  return { ...step, task: { ...step.task, projectKey } };
}
