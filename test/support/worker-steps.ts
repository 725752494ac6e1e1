import { z } from 'zod';
import type { Connection, Deps, HandedOut } from '../../src/app/ports.ts';
import { WORK_KINDS, type WorkKind } from '../../src/domain/work.ts';
import type { WorkerContext } from '../../workers/context.ts';
import { HeldWork } from '../../workers/held-work.ts';
import { ServerMemory } from '../../workers/server-memory.ts';
import { takeStep } from '../../workers/steps.ts';
import type { Stage } from './stage.ts';

/**
 * The worker's steps, one at a time and without a queue. A step can be stopped before any of its calls to the database or
 * to OpenReplay: for good, as when its process is killed, or for a while, as when its process is slow.
 */

/** Called before each call a step makes, with the call's name. An answer is the call's own: it is not made then. */
export type Before = (call: string, to: 'store' | 'server') => Promise<unknown>;

/** What a killed step gets for every further call: it reaches nothing any more. */
export class KilledError extends Error {
  constructor() {
    super('the worker was killed');
  }
}

export interface StepRunner {
  run(work: HandedOut, before: Before): Promise<void>;
  close(): Promise<void>;
}

export function createStepRunner(deps: Deps): StepRunner {
  const held = new HeldWork({ store: deps.store, leaseMs: deps.leaseMs, log: deps.log });
  const memory = new ServerMemory();
  return {
    run: (work, before) => perform({ deps: watched(deps, before), held, memory }, work),
    close: () => held.release(),
  };
}

async function perform(context: WorkerContext, work: HandedOut): Promise<void> {
  try {
    await takeStep(context, work.kind, [work]);
  } catch (error) {
    if (!(error instanceof KilledError)) throw error;
  }
}

function watched(deps: Deps, before: Before): Deps {
  const connections = [...deps.connections].map(([name, connection]): [string, Connection] => [
    name,
    {
      ...connection,
      api: eachCall(connection.api, (call) => before(call, 'server')),
      records: eachCall(connection.records, (call) => before(call, 'server')),
    },
  ]);
  const log: Deps['log'] = {
    ...deps.log,
    error: (fields, message) => {
      const killed = 'err' in fields && fields.err instanceof KilledError;
      if (!killed) deps.log.error(fields, message);
    },
  };
  return {
    ...deps,
    log,
    store: eachCall(deps.store, (call) => before(call, 'store')),
    connections: new Map(connections),
  };
}

/** The same, but that each call waits for `before`. */
function eachCall<T extends object>(target: T, before: (call: string) => Promise<unknown>): T {
  return new Proxy(target, {
    get: (of, name): unknown => {
      const member: unknown = Reflect.get(of, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        const instead = await before(String(name));
        if (instead !== undefined) return instead;
        return Reflect.apply(member, of, args);
      };
    },
  });
}

/**
 * Does the next piece of a request's work, whenever it is due, but for the destruction of its identifiers; other requests' work
 * stays where it is.
 *
 * @returns its kind; undefined when the request has no work that nobody holds
 */
export async function doNext(
  { deps, database }: Pick<Stage, 'deps' | 'database'>,
  runner: StepRunner,
  requestId: string,
): Promise<WorkKind | undefined> {
  await database.pool.query(
    `UPDATE work SET run_at = now() + CASE WHEN work.id = first.id THEN interval '-1 second' ELSE interval '1 hour' END
     FROM (SELECT (SELECT id FROM work WHERE request_id = $1 AND lease IS NULL AND kind <> 'destroy' ORDER BY run_at, id LIMIT 1) AS id) AS first
     WHERE lease IS NULL AND kind <> 'destroy'`,
    [requestId],
  );
  const [work] = await deps.store.claimDueWork({
    connection: 'default',
    handOutMs: 60_000,
    max: 1,
    maxPolls: 1,
  });
  if (work === undefined) return undefined;
  await runner.run(work, () => Promise.resolve(undefined));
  return work.kind;
}

const handedOut = z.array(
  z.object({ id: z.string(), lease: z.string(), kind: z.enum(WORK_KINDS), connection: z.string() }),
);

/** Hands out the destruction of a request's identifiers, whenever it is due, as often as said. */
export async function destroyNow(
  { database }: Pick<Stage, 'database'>,
  runner: StepRunner,
  of: { requestId: string; deliveries?: number },
): Promise<void> {
  const { rows } = await database.pool.query(
    `UPDATE work SET lease = gen_random_uuid(), held = false, run_at = now() + interval '1 minute'
     WHERE request_id = $1 AND kind = 'destroy' RETURNING id, lease, kind, connection`,
    [of.requestId],
  );
  const [work] = handedOut.parse(rows);
  if (work === undefined) throw new Error('nothing is to be destroyed');
  const delivered = Array.from({ length: of.deliveries ?? 1 }, () =>
    runner.run({ ...work, projectKey: null }, () => Promise.resolve(undefined)),
  );
  await Promise.all(delivered);
}
