import { commitTaskStep } from '../src/app/commit-task-step.ts';
import { lookAtJobs } from '../src/app/look-at-jobs.ts';
import type { Work, WorkLease } from '../src/app/ports.ts';
import { afterPoll } from '../src/domain/poll-step.ts';
import { guarded, type WorkerContext } from './context.ts';

/** Outcomes written at the same time; each is a transaction of its own. */
const COMMITS_AT_A_TIME = 8;

/** Looks at the jobs of all this work, which is of one project, and writes what each shows. */
export async function poll(context: WorkerContext, leases: readonly WorkLease[]): Promise<void> {
  const { deps, held } = context;
  const works = await deps.store.takeWork(leases, deps.leaseMs);
  if (works.length === 0) return;
  await held.during(works, () => guarded(context, works, () => pollTaken(context, works)));
}

async function pollTaken(context: WorkerContext, works: readonly Work[]): Promise<void> {
  const { deps } = context;
  const [first] = works;
  const connection = deps.connections.get(first?.connection ?? '');
  if (!first?.projectKey || connection === undefined) throw new Error('polls name no project or connection');
  const tasks = await deps.store.listTasksById(works.flatMap((work) => work.taskId ?? []));
  const results = await lookAtJobs(connection.api, first.projectKey, tasks);
  const waiting = [...works];
  const write = async () => {
    for (let work = waiting.pop(); work !== undefined; work = waiting.pop()) {
      const result = results.get(work.taskId ?? '') ?? { kind: 'not_asked' };
      await commitTaskStep(deps, work, (task, step) => afterPoll(task, result, step));
    }
  };
  await Promise.all(Array.from({ length: COMMITS_AT_A_TIME }, write));
}
