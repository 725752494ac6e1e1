import type { Core } from './composition.ts';
import { ConnectionProbe } from './connection-probe.ts';
import { createHttpApp } from './http/app.ts';
import type { Readiness } from './http/readiness.ts';
import { startHttpServer } from './http/server.ts';
import { openPublisher } from './queue/queue-backend.ts';

export interface RunningApi {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts the API of one process: it takes requests in for as long as Postgres answers, whatever else is away. */
export async function startApi(core: Core): Promise<RunningApi> {
  const { config, deps, logger } = core;
  const probe = new ConnectionProbe(deps.connections, logger);
  const [first] = deps.connections.keys();
  const publisher = await openPublisher(core.queue, first ?? '', {
    onError: (error) => {
      logger.warn({ err: error }, 'the queue reports an error');
    },
  });
  const readiness = async (): Promise<Readiness> => ({
    parts: [
      await part('database', deps.store.ping()),
      await part('queue', publisher.ping()),
      ...probe.probes.map(({ connection, ok, detail, at }) => ({
        name: `connection ${connection}`,
        ok,
        detail,
        at,
      })),
    ],
  });
  const app = createHttpApp({
    deps,
    readiness,
    logger,
    trustProxy: config.server.trustProxy,
    rateLimit: config.api.rateLimit,
  });
  const server = await startHttpServer({ app, host: config.server.host, port: config.server.port });
  logger.info({ host: config.server.host, port: server.port }, 'the API listens');
  return {
    port: server.port,
    stop: async () => {
      probe.stop();
      await server.stop(config.worker.drainMs);
      await publisher.close();
    },
  };
}

async function part(name: string, check: Promise<void>): Promise<Readiness['parts'][number]> {
  const at = new Date().toISOString();
  return check.then(
    () => ({ name, ok: true, detail: 'answers', at }),
    () => ({ name, ok: false, detail: 'does not answer', at }),
  );
}
