import { discoverSubject } from '../src/app/discover-subject.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { guarded, type WorkerContext } from './context.ts';

/** Finds the subject of a request and makes a task for each user id in each project. */
export async function discover(context: WorkerContext, lease: WorkLease): Promise<void> {
  const { deps, held, memory } = context;
  const works = await deps.store.takeWork([lease], deps.leaseMs);
  await held.during(works, () =>
    guarded(context, works, async () => {
      for (const work of works) await discoverSubject(deps, work, memory.listProjectKeys);
    }),
  );
}
