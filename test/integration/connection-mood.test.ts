import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createConnectionGate } from '../../src/app/connection-gate.ts';
import { listConnections, pauseConnection, resumeConnection } from '../../src/app/pause-connection.ts';
import type { Pass } from '../../src/app/ports/gate.ts';
import type { CallMood, CallTrouble } from '../../src/domain/connection-mood.ts';
import { noFaults } from '../../src/sandbox/faults.ts';
import { createGateStore } from '../../src/store/connection-states.ts';
import { eventually } from '../support/dispatching.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';

/** What servers do to all calls at once (docs: OpenReplay, "Limits" and "auth"), and what the calls then do. */
const [backend] = queueBackends();

const adminEvent = z.object({ type: z.string() });

let stage: Stage;
/** Every call that reached the server, with when it did. */
const calls: { readonly operationId: string; readonly at: number }[] = [];
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({
    backend,
    sandbox: {
      jobDelayMs: 40,
      analyticsLagMs: 1,
      onRequest: ({ operationId, phase }) => {
        if (phase === 'received') calls.push({ operationId, at: Date.now() });
      },
    },
  });
});
afterAll(() => stage.close());
beforeEach(async () => {
  Object.assign(stage.sandbox.faults, noFaults());
  await stage.database.pool.query('DELETE FROM connection_states');
  calls.length = 0;
});

async function submitMany(prefix: string, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const userId = `${prefix} ${number}`;
    stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
    ids.push((await stage.submit(userId)).id);
  }
  return ids;
}

async function allErased(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view).toMatchObject({ state: 'completed', outcome: 'erased' });
  }
}

const stateNow = async () => (await listConnections(stage.deps))[0]?.state;
const isShut = async () => (await stateNow()) === 'shut';

describe('a server that', () => {
  it('asks for fewer calls gets none from anybody until the time it named, and no attempt is counted', async () => {
    stage.sandbox.faults.retryAfterSeconds = 1;
    stage.sandbox.script('deleteUser', 'rateLimited');
    const ids = await submitMany('hurried', 1);
    await eventually(isShut);
    const shutAt = Date.now();
    const before = calls.length;
    const more = await submitMany('later', 5);
    const waiting = await stage.until(more[0] ?? '', (view) => view.waiting?.reason === 'rate_limited');
    expect(waiting.waiting).toMatchObject({ actsNext: 'lethe' });
    await allErased([...ids, ...more]);
    // Work that was in a worker's hands when the server spoke may have sent what it had begun.
    const early = calls.slice(before).filter(({ at }) => at < shutAt + 500);
    expect(early).toEqual([]);
    const { rows } = await stage.database.pool.query(
      "SELECT max(attempts) AS most FROM work WHERE kind <> 'destroy'",
    );
    expect(rows).toEqual([{ most: null }]);
    const delays = (await stage.trail(ids[0] ?? '')).filter(({ type }) => type === 'task.step_delayed');
    expect(delays).toMatchObject([{ data: { step: 'submit', reason: 'rate_limited', attempts: 0 } }]);
  });

  it('keeps failing is left alone, tried with one call at a time, and used again when it answers', async () => {
    stage.sandbox.faults.errors500 = 1;
    const ids = await submitMany('failing', 12);
    await eventually(isShut);
    const shutCalls = calls.length;
    // Three trials later (each after twice the time) it has been called three times more, not by twelve tasks.
    const shuts = async () => {
      const { rows } = await stage.database.pool.query<{ shuts: number }>(
        'SELECT shuts FROM connection_states',
      );
      return rows[0]?.shuts ?? 0;
    };
    const first = await shuts();
    await eventually(async () => (await shuts()) >= first + 3);
    expect(calls.length - shutCalls).toBeLessThanOrEqual(8 + 4);
    stage.sandbox.faults.errors500 = 0;
    await allErased(ids);
    expect(await stateNow()).toBe('open');
  });

  it('refuses the key pauses itself, names the operator, and goes on by itself when the key works again', async () => {
    stage.sandbox.faults.unauthorized = 1;
    const ids = await submitMany('locked out', 3);
    const view = await stage.until(ids[0] ?? '', ({ waiting }) => waiting?.reason === 'key_refused');
    expect(view).toMatchObject({ attention: null, waiting: { actsNext: 'operator' } });
    await eventually(isShut);
    stage.sandbox.faults.unauthorized = 0;
    await allErased(ids);
  });
});

describe('the stop button', () => {
  it('lets no call leave once it has answered, takes requests in, and lets all go on when it is released', async () => {
    const name = 'default';
    const early = await submitMany('before the stop', 20);
    const paused = await pauseConnection(stage.deps, { name, reason: 'upgrade', apiKeyId: stage.apiKeyId });
    expect(paused).toMatchObject({ state: 'paused', pauseReason: 'upgrade', pausedBy: stage.apiKeyId });
    const before = calls.length;
    const late = await submitMany('during the stop', 3);
    const view = await stage.until(late[0] ?? '', ({ waiting }) => waiting?.reason === 'connection_paused');
    expect(view.waiting).toMatchObject({ actsNext: 'operator', until: null });
    expect(await stage.deps.connections.get(name)?.api.listProjects()).toMatchObject({
      failure: { kind: 'withheld', reason: 'connection_paused' },
    });
    expect(calls.length).toBe(before);
    const again = await pauseConnection(stage.deps, { name, reason: 'again', apiKeyId: stage.apiKeyId });
    expect(again).toEqual(paused);
    const open = await resumeConnection(stage.deps, { name, reason: 'done', apiKeyId: stage.apiKeyId });
    expect(open).toMatchObject({ state: 'open', pausedAt: null, pauseReason: null });
    await allErased([...early, ...late]);
    const bytes = await stage.deps.store.listAdminEventBytes({ after: -1, limit: 100 });
    const types = bytes.map((event) => adminEvent.parse(JSON.parse(Buffer.from(event).toString())).type);
    expect(types.filter((type) => type.startsWith('connection.'))).toEqual([
      'connection.paused',
      'connection.resumed',
    ]);
  });

  it('does nothing to a connection that is not configured', async () => {
    const command = { name: 'other', reason: 'x', apiKeyId: stage.apiKeyId };
    expect(await pauseConnection(stage.deps, command)).toBeUndefined();
    expect(await resumeConnection(stage.deps, command)).toBeUndefined();
  });
});

describe('gates of several processes', () => {
  const gate = (callIntervalMs = 0) =>
    createConnectionGate({
      name: 'shared',
      store: createGateStore(stage.database.pool),
      pace: { failures: 3, baseMs: 400, maxMs: 60_000 },
      callIntervalMs,
      callTimeoutMs: 2_000,
      log: stage.deps.log,
    });
  const trouble = (changes: Partial<CallTrouble> = {}): CallTrouble => ({
    reason: 'server_error',
    atOnce: false,
    ...changes,
  });
  async function pass(of: ReturnType<typeof gate>): Promise<Pass> {
    const entered = await of.enter();
    if (entered.kind !== 'pass') throw new Error(`withheld: ${entered.reason}`);
    return entered;
  }
  async function call(of: ReturnType<typeof gate>, mood: CallMood): Promise<void> {
    await (await pass(of)).leave(mood);
  }
  const reopens = async (of: ReturnType<typeof gate>) => {
    let entered = await of.enter();
    await eventually(async () => {
      entered = await of.enter();
      return entered.kind === 'pass';
    });
    if (entered.kind !== 'pass') throw new Error('unreachable');
    return entered;
  };

  it('count failures together, and a success in between sets the count back', async () => {
    const [one, other] = [gate(), gate()];
    await call(one, trouble());
    await call(other, trouble());
    await call(one, 'fine');
    await call(other, trouble());
    await call(one, trouble());
    expect((await one.enter()).kind).toBe('pass');
    await call(other, trouble());
    await eventually(async () => (await one.enter()).kind === 'withheld');
    expect(await gate().enter()).toMatchObject({ kind: 'withheld', reason: 'server_error' });
  });

  it('let one call through on trial, and what was sent before the closing opens nothing', async () => {
    const [one, other] = [gate(), gate()];
    const sentBefore = await pass(one);
    await call(other, trouble({ reason: 'key_refused', atOnce: true }));
    await sentBefore.leave('fine');
    expect(await gate().enter()).toMatchObject({ kind: 'withheld', reason: 'key_refused' });
    const trial = await reopens(other);
    const others = await Promise.all(Array.from({ length: 10 }, () => gate().enter()));
    expect(new Set(others.map(({ kind }) => kind))).toEqual(new Set(['withheld']));
    await trial.leave('fine');
    expect((await gate().enter()).kind).toBe('pass');
  });

  it('hold a trial open for no longer than a call can take: its process may be dead', async () => {
    const one = gate();
    await call(one, trouble({ atOnce: true }));
    await reopens(one);
    const { rows } = await stage.database.pool.query<{ ms: number }>(
      `SELECT (extract(epoch FROM trial_until - now()) * 1000)::float8 AS ms FROM connection_states WHERE name = 'shared'`,
    );
    expect(rows[0]?.ms).toBeLessThanOrEqual(2_000 + 5_000);
    expect(rows[0]?.ms).toBeGreaterThan(2_000);
  });

  it('shut for twice as long when the trial fails', async () => {
    const one = gate();
    await call(one, trouble({ atOnce: true }));
    await (await reopens(one)).leave(trouble());
    const { rows } = await stage.database.pool.query<{ ms: number }>(
      `SELECT (extract(epoch FROM shut_until - now()) * 1000)::float8 AS ms FROM connection_states WHERE name = 'shared'`,
    );
    expect(rows[0]?.ms).toBeGreaterThan(500);
  });

  it('wait as long as the server asked where that is longer, and not less for a later, shorter wish', async () => {
    const one = gate();
    const [first, second] = [await pass(one), await pass(one)];
    await first.leave(trouble({ reason: 'rate_limited', atOnce: true, waitMs: 60_000 }));
    await second.leave(trouble({ reason: 'rate_limited', atOnce: true, waitMs: 1_000 }));
    const { rows } = await stage.database.pool.query<{ ms: number; shuts: number }>(
      `SELECT (extract(epoch FROM shut_until - now()) * 1000)::float8 AS ms, shuts FROM connection_states
       WHERE name = 'shared'`,
    );
    expect(rows[0]?.ms).toBeGreaterThan(50_000);
    expect(rows[0]?.shuts).toBe(1);
  });

  it('keep one pace together', async () => {
    const intervalMs = 20;
    const gates = [gate(intervalMs), gate(intervalMs)];
    const begun = Date.now();
    await Promise.all(Array.from({ length: 30 }, (_, call) => pass(gates[call % 2] ?? gate(intervalMs))));
    expect(Date.now() - begun).toBeGreaterThanOrEqual(29 * intervalMs - 1);
  });

  it('let nothing through when nobody knows how the server does', async () => {
    const lost = createConnectionGate({
      name: 'shared',
      store: {
        ...createGateStore(stage.database.pool),
        readConnectionState: () => Promise.reject(new Error('gone')),
      },
      pace: { failures: 3, baseMs: 400, maxMs: 60_000 },
      callIntervalMs: 0,
      callTimeoutMs: 2_000,
      log: stage.deps.log,
    });
    expect(await lost.enter()).toMatchObject({ kind: 'withheld', reason: 'internal_error' });
  });
});
