import type { Subject } from '../domain/request.ts';
import type { TaskState } from '../domain/states.ts';
import { intendSubmission } from '../domain/submit-step.ts';
import type { Task } from '../domain/task.ts';
import { contextOf, writeStep } from './commit-task-step.ts';
import type { Deps, RequestScope, Transaction, Work, WorkLease } from './ports.ts';

/** A step in a worker's hands: what to do, for whom, and the lease that the outcome needs. */
export interface BegunStep {
  readonly work: Work;
  readonly task: Task & { readonly projectKey: string };
  readonly subject: Subject;
  /** The task was in this state when the step was taken: an intent without an answer, for a submission. */
  readonly resumed: boolean;
}

/**
 * Takes handed-out work, so that of two deliveries one does it. For a submission a transaction then records the
 * intent, before anything is sent.
 *
 * @returns undefined when the work went elsewhere or is no longer to be done
 */
export async function beginTaskStep(deps: Deps, lease: WorkLease): Promise<BegunStep | undefined> {
  const [work] = await deps.store.takeWork([lease], deps.leaseMs);
  if (work?.taskId == null) return undefined;
  if (work.kind === 'submit') {
    return deps.store.withRequest(work.requestId, (tx, scope) => intend(tx, deps, { work, scope }));
  }
  const scope = await deps.store.findScope(work.requestId);
  return begin(deps, { work, scope });
}

interface Beginning {
  readonly work: Work;
  readonly scope: RequestScope | undefined;
}

async function begin(deps: Deps, { work, scope }: Beginning): Promise<BegunStep | undefined> {
  const task = scope?.tasks.find((candidate) => candidate.id === work.taskId);
  if (scope !== undefined && task !== undefined && STATES_OF_WORK[work.kind].includes(task.state)) {
    const subject = subjectOf(deps, scope);
    return routable({ work, task, subject, resumed: task.state === 'submitting' });
  }
  // Cannot be reached by the transitions; kept from going round for ever, and said aloud.
  const fields = { workId: work.id, kind: work.kind, state: task?.state };
  deps.log.error(fields, 'work does not fit its task; dropped');
  await deps.store.deleteWork(work);
  return undefined;
}

async function intend(tx: Transaction, deps: Deps, beginning: Beginning): Promise<BegunStep | undefined> {
  const begun = await begin(deps, beginning);
  if (begun === undefined || beginning.scope === undefined) return undefined;
  const { work, task } = begun;
  const { request, tasks } = beginning.scope;
  const intent = intendSubmission(task, contextOf(deps, { tx, request, attempts: work.attempts }));
  const after = await writeStep(
    tx,
    { deps, request, tasks, task, work: { lease: work, next: 'kept' } },
    intent,
  );
  return after && routable({ ...begun, task: after.tasks.find((other) => other.id === task.id) ?? task });
}

const STATES_OF_WORK: Readonly<Record<Work['kind'], readonly TaskState[]>> = {
  discover: [],
  submit: ['pending', 'submitting'],
  poll: ['submitted'],
  verify: ['verifying'],
  cancel: ['pending', 'submitting', 'submitted'],
};

function subjectOf(deps: Deps, { request, subjectSealed }: RequestScope): Subject {
  if (subjectSealed === null) throw new Error(`request ${request.id} has no subject`);
  return deps.vault.openSubject(request.id, subjectSealed);
}

function routable(step: Omit<BegunStep, 'task'> & { task: Task }): BegunStep {
  const { projectKey } = step.task;
  if (projectKey === null) throw new Error(`task ${step.task.id} names no project`);
  return { ...step, task: { ...step.task, projectKey } };
}
