import type { Subject } from '../domain/request.ts';
import type { TaskState } from '../domain/states.ts';
import { intendSubmission } from '../domain/submit-step.ts';
import type { Task } from '../domain/task.ts';
import { contextOf, writeStep } from './commit-task-step.ts';
import type { Deps, Transaction, Work, WorkLease } from './ports.ts';

/** A step in a worker's hands: what to do, for whom, and the lease that the outcome needs. */
export interface BegunStep {
  readonly work: Work;
  readonly task: Task & { readonly projectKey: string };
  readonly subject: Subject;
  /** The task was in this state when the step was taken: an intent without an answer, for a submission. */
  readonly resumed: boolean;
}

/**
 * Takes handed-out work, so that of two deliveries one does it. For a submission the same transaction records the
 * intent, before anything is sent.
 *
 * @returns undefined when the work went elsewhere or is no longer to be done
 */
export async function beginTaskStep(deps: Deps, lease: WorkLease): Promise<BegunStep | undefined> {
  return deps.store.transaction(async (tx) => {
    const [work] = await tx.takeWork([lease], deps.leaseMs);
    if (work?.taskId == null) return undefined;
    const request = await tx.lockRequest(work.requestId);
    const tasks = request === undefined ? [] : await tx.listTasks(request.id);
    const task = tasks.find((candidate) => candidate.id === work.taskId);
    if (request === undefined || task === undefined || !STATES_OF_WORK[work.kind].includes(task.state)) {
      // Cannot be reached by the transitions; kept from going round for ever, and said aloud.
      deps.log.error(
        { workId: work.id, kind: work.kind, state: task?.state },
        'work does not fit its task; dropped',
      );
      await tx.deleteWork(work);
      return undefined;
    }
    const subject = await openSubject(tx, deps, request.id);
    const resumed = task.state === 'submitting';
    if (work.kind !== 'submit') return routable({ work, task, subject, resumed });
    const intent = intendSubmission(task, contextOf(deps, { tx, request, attempts: work.attempts }));
    const after = await writeStep(tx, { deps, request, tasks, task }, intent);
    return routable({
      work,
      task: after.tasks.find((other) => other.id === task.id) ?? task,
      subject,
      resumed,
    });
  });
}

const STATES_OF_WORK: Readonly<Record<Work['kind'], readonly TaskState[]>> = {
  discover: [],
  submit: ['pending', 'submitting'],
  poll: ['submitted'],
  verify: ['verifying'],
  cancel: ['pending', 'submitting', 'submitted'],
};

async function openSubject(tx: Transaction, deps: Deps, requestId: string): Promise<Subject> {
  const sealed = await tx.findSealedSubject(requestId);
  if (sealed === undefined) throw new Error(`request ${requestId} has no subject`);
  return deps.vault.openSubject(requestId, sealed);
}

function routable(step: Omit<BegunStep, 'task'> & { task: Task }): BegunStep {
  const { projectKey } = step.task;
  if (projectKey === null) throw new Error(`task ${step.task.id} names no project`);
  return { ...step, task: { ...step.task, projectKey } };
}
