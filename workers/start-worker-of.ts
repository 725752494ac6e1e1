import type { Core } from '../src/composition.ts';
import type { Config } from '../src/config.ts';
import { startDeliverer, type DelivererOptions } from './deliverer.ts';
import { startSealer } from './sealer.ts';
import { startWorker, type RunningWorker } from './start-worker.ts';

/** Starts the workers and the sealer of a wired process, and lets them know at once when a commit of it leaves work due. */
export async function startWorkerOf(core: Core): Promise<RunningWorker> {
  const { worker, connections } = core.config;
  const running = await startWorker(core.deps, {
    ...worker,
    queue: core.queue,
    concurrency: new Map(connections.map(({ name, concurrency }) => [name, concurrency])),
    maxConcurrency: new Map(
      connections.flatMap(({ name, maxConcurrency }) =>
        maxConcurrency === undefined ? [] : [[name, maxConcurrency]],
      ),
    ),
  });
  await core.deps.store.setReplyTargets(core.deps.replyTargets.map(({ name }) => name));
  const deliverer = startDeliverer(core.deps, delivererOptions(core.config));
  core.onWorkDue(() => {
    running.nudge();
    deliverer.nudge();
  });
  core.logger.info(
    { connections: connections.map(({ name }) => name), queue: core.queue.kind },
    'the worker runs',
  );
  const { store, tree } = core.log;
  const { sealIntervalMs: intervalMs } = core.config.evidence;
  const sealer = startSealer({ store, tree, intervalMs, log: core.logger });
  return {
    nudge: () => {
      running.nudge();
    },
    stop: async () => {
      // The steps that end now write the last events; what is not sealed of them, the next process seals.
      await running.stop();
      await deliverer.stop();
      await sealer.stop();
    },
  };
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** An answer to a ticket looks at it, comments it, and moves it on. */
const CALLS_PER_ATTEMPT = 4;

function delivererOptions({ outgoing, worker }: Config): DelivererOptions {
  const { connectTimeoutMs, responseTimeoutMs, keepDeliveriesDays } = outgoing;
  return {
    intervalMs: worker.dispatchIntervalMs,
    leaseMs: (connectTimeoutMs + responseTimeoutMs) * CALLS_PER_ATTEMPT + worker.leaseMs,
    keepMs: keepDeliveriesDays * DAY_MS,
    roundMs: HOUR_MS,
  };
}
