import { beginTaskStep, type BegunStep } from '../src/app/begin-task-step.ts';
import type { Connection, Deps, Work, WorkLease } from '../src/app/ports.ts';
import { LetheError } from '../src/domain/errors.ts';
import type { HeldWork } from './held-work.ts';
import type { ServerMemory } from './server-memory.ts';

/** What every kind of work has at hand. */
export interface WorkerContext {
  readonly deps: Deps;
  readonly held: HeldWork;
  readonly memory: ServerMemory;
}

/**
 * Takes the work, does the step while its lease is kept, and sees to it that a step that fails inside Lethe is tried
 * again later and is visible meanwhile.
 */
export async function withStep(
  context: WorkerContext,
  lease: WorkLease,
  step: (begun: BegunStep, connection: Connection) => Promise<void>,
): Promise<void> {
  const begun = await beginTaskStep(context.deps, lease);
  if (begun === undefined) return;
  await context.held.during([begun.work], () =>
    guarded(context, [begun.work], async () => {
      const connection = context.deps.connections.get(begun.work.connection);
      if (connection === undefined) throw new Error(`connection ${begun.work.connection} is not configured`);
      await step(begun, connection);
    }),
  );
}

/** As withStep, for work that concerns the whole request and calls no server. */
export async function forWholeRequest(
  { deps, held }: WorkerContext,
  lease: WorkLease,
  step: (deps: Deps, work: Work) => Promise<boolean>,
): Promise<void> {
  const works = await deps.store.takeWork([lease], deps.leaseMs);
  await held.during(works, () =>
    guarded({ deps }, works, async () => {
      for (const work of works) await step(deps, work);
    }),
  );
}

/**
 * Runs `step`; a failure is logged, and its work is due again after a while, with the failure as the reason. A step whose
 * work went elsewhere meanwhile has failed on what others wrote: it came too late, which is no failure.
 */
export async function guarded(
  context: { readonly deps: Pick<Deps, 'pace' | 'store' | 'log'> },
  works: readonly Pick<Work, 'id' | 'lease' | 'kind' | 'attempts'>[],
  step: () => Promise<void>,
): Promise<void> {
  const { deps } = context;
  try {
    await step();
  } catch (error) {
    const { baseMs, maxMs } = deps.pace.retry;
    const waitMs = ({ attempts }: Pick<Work, 'attempts'>) =>
      Math.min(maxMs, baseMs * 2 ** Math.min(attempts + 1, 20));
    const waits = works.map((work) => ({ id: work.id, lease: work.lease, waitMs: waitMs(work) }));
    let ours = works.length;
    try {
      ours = await deps.store.delayWork(waits, 'internal_error');
    } finally {
      const fields = { err: error, workIds: works.map((work) => work.id), kind: works[0]?.kind };
      if (ours > 0 && isStoreAway(error)) deps.log.warn(fields, 'the database went away during a step');
      else if (ours > 0) deps.log.error(fields, 'a step failed');
    }
  }
}

/** Then nothing is wrong with the step: nobody has to look at it. */
function isStoreAway(error: unknown): boolean {
  return error instanceof LetheError && error.code === 'STORE_UNAVAILABLE';
}
