import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store, WorkLease } from '../../src/app/ports.ts';
import type { NextWork } from '../../src/domain/work.ts';
import { createStore } from '../../src/store/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { endLeases, plantWork, readWork, type WorkRow } from '../support/work-rows.ts';

const HOUR_MS = 3_600_000;

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore(database.pool);
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query('DELETE FROM work'));

const claim = (max = 1_000) =>
  store.claimDueWork({ connection: 'default', handOutMs: HOUR_MS, max, maxPolls: max });
const take = (leases: readonly WorkLease[]) => store.takeWork(leases, HOUR_MS);
const write = (lease: WorkLease, next: NextWork | null) =>
  store.transaction((tx) => tx.write('er_any', { work: { lease, next }, events: [] }));
const NEXT: NextWork = { kind: 'poll', at: Date.now() + HOUR_MS, reason: 'job_scheduled', attempts: 7 };
const reschedule = (lease: WorkLease) => write(lease, NEXT);
const remove = (lease: WorkLease) => write(lease, null);

function only<T>(items: readonly T[]): T {
  const [item, ...more] = items;
  if (item === undefined || more.length > 0) throw new Error(`there are ${items.length}, not one`);
  return item;
}

/** Plants one piece of work that is due, and hands it out. */
async function handedOut(): Promise<WorkLease> {
  await plantWork(database.pool);
  return only(await claim());
}

/** As handedOut, and a worker takes it. */
async function held(): Promise<WorkLease> {
  return only(await take([await handedOut()]));
}

/** Two holders of one piece of work: the first one's lease ran out, so that a second one holds it now. */
async function lostAndFound(): Promise<{ lost: WorkLease; found: WorkLease }> {
  const lost = await held();
  await endLeases(database.pool);
  const found = only(await take(await claim()));
  return { lost, found };
}

const rowOf = async (): Promise<WorkRow> => only(await readWork(database.pool));

describe('taking work', () => {
  it('puts it under another lease, held, with everything a worker must know', async () => {
    const handed = await handedOut();
    const work = only(await take([handed]));
    expect(work).toEqual({
      id: handed.id,
      lease: expect.any(String),
      kind: 'submit',
      requestId: expect.stringMatching(/^er_/),
      taskId: expect.stringMatching(/^tk_/),
      connection: 'default',
      projectKey: 'projectA',
      attempts: 0,
      failingSince: null,
    });
    expect(work.lease).not.toBe(handed.lease);
    await expect(rowOf()).resolves.toMatchObject({ lease: work.lease, held: true, due: false });
  });

  it('works once: neither the lease it was handed out with nor the one it is held by takes it again', async () => {
    const handed = await handedOut();
    const work = only(await take([handed]));
    const before = await rowOf();
    await expect(take([handed])).resolves.toEqual([]);
    await expect(take([work])).resolves.toEqual([]);
    await expect(rowOf()).resolves.toEqual(before);
  });

  it('gives it to one of many that try at once', async () => {
    const handed = await handedOut();
    const tries = await Promise.all(Array.from({ length: 10 }, () => take([handed])));
    expect(only(tries.flat()).id).toBe(handed.id);
  });

  it('gives of several what is still to be had', async () => {
    await plantWork(database.pool, { count: 3 });
    const [first, second, third] = await claim();
    if (first === undefined || second === undefined || third === undefined) throw new Error('not three');
    await take([second]);
    const taken = await take([first, second, third, { id: '999999999', lease: randomUUID() }]);
    expect(taken.map(({ id }) => id).toSorted()).toEqual([first.id, third.id].toSorted());
    await expect(take([])).resolves.toEqual([]);
  });

  it('needs the lease of that very row', async () => {
    await plantWork(database.pool, { count: 2 });
    const [first, second] = await claim();
    if (first === undefined || second === undefined) throw new Error('not two');
    await expect(take([{ id: first.id, lease: second.lease }])).resolves.toEqual([]);
    await expect(take([{ id: first.id, lease: randomUUID() }])).resolves.toEqual([]);
  });

  it('is undone with the transaction it was part of', async () => {
    const handed = await handedOut();
    const before = await rowOf();
    const crash = store.transaction(async (tx) => {
      expect(await tx.write('er_any', { work: { lease: handed, next: null }, events: [] })).toBe(true);
      throw new Error('crash');
    });
    await expect(crash).rejects.toThrow('crash');
    await expect(rowOf()).resolves.toEqual(before);
    await expect(take([handed])).resolves.toHaveLength(1);
  });
});

describe('the holder of a lease', () => {
  it('gives work back with what is next', async () => {
    const lease = await held();
    await expect(reschedule(lease)).resolves.toBe(true);
    await expect(rowOf()).resolves.toMatchObject({
      kind: 'poll',
      reason: 'job_scheduled',
      attempts: 7,
      lease: null,
      held: false,
      due: false,
    });
    await expect(claim()).resolves.toEqual([]);
  });

  it('deletes work that is done', async () => {
    await expect(remove(await held())).resolves.toBe(true);
    await expect(readWork(database.pool)).resolves.toEqual([]);
  });

  it('moves the end of its own lease only', async () => {
    await plantWork(database.pool, { count: 3 });
    const [mine, others, wrong] = await take(await claim());
    if (mine === undefined || others === undefined || wrong === undefined) throw new Error('not three');
    const before = await readWork(database.pool);
    await store.renewLeases([mine, { id: wrong.id, lease: others.lease }], 2 * HOUR_MS);
    const moved = (await readWork(database.pool)).filter(
      (row, index) => row.run_at.getTime() !== before[index]?.run_at.getTime(),
    );
    expect(moved).toEqual([expect.objectContaining({ id: mine.id, lease: mine.lease, held: true })]);
    const by = (moved[0]?.run_at.getTime() ?? 0) - Date.now();
    expect(by).toBeGreaterThan(1.5 * HOUR_MS);
  });

  it('hands it back at once, for another to take', async () => {
    const lease = await held();
    await store.releaseLeases([lease]);
    const again = only(await claim());
    expect(again.id).toBe(lease.id);
    expect(again.lease).not.toBe(lease.lease);
    await expect(take([again])).resolves.toHaveLength(1);
  });

  it('may still finish after its time, as long as nobody else has it', async () => {
    const lease = await held();
    await endLeases(database.pool);
    await expect(reschedule(lease)).resolves.toBe(true);
  });
});

describe('who lost the lease', () => {
  it.each([
    ['give the work back', reschedule],
    ['delete it', remove],
    [
      'renew it',
      async (lease: WorkLease) => {
        await store.renewLeases([lease], 0);
        return false;
      },
    ],
    [
      'release it',
      async (lease: WorkLease) => {
        await store.releaseLeases([lease]);
        return false;
      },
    ],
    ['take it', async (lease: WorkLease) => (await take([lease])).length > 0],
  ])('cannot %s: nothing changes, and it is told so', async (_name, attempt) => {
    const { lost, found } = await lostAndFound();
    const before = await rowOf();
    await expect(attempt(lost)).resolves.toBe(false);
    await expect(rowOf()).resolves.toEqual(before);
    await expect(remove(found)).resolves.toBe(true);
  });

  it('has lost it to one that was only handed out, too', async () => {
    const lost = await held();
    await endLeases(database.pool);
    const handed = only(await claim());
    await expect(Promise.all([reschedule(lost), remove(lost)])).resolves.toEqual([false, false]);
    await expect(take([handed])).resolves.toHaveLength(1);
  });

  it('cannot touch work that is gone', async () => {
    const lease = await held();
    await remove(lease);
    await expect(Promise.all([reschedule(lease), remove(lease)])).resolves.toEqual([false, false]);
    await expect(take([lease])).resolves.toEqual([]);
  });
});

describe('claiming', () => {
  it('gives each piece of work to one of many that claim at once', async () => {
    const planted = await plantWork(database.pool, { count: 200 });
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim()));
    expect(
      claims
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(planted.toSorted());
  });

  it('passes over rows that another transaction holds, instead of waiting for it', async () => {
    const planted = await plantWork(database.pool, { count: 3 });
    const client = await database.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT FROM work WHERE id = $1 FOR UPDATE', [planted[0]]);
      expect((await claim()).map(({ id }) => id).toSorted()).toEqual(planted.slice(1).toSorted());
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
    expect(only(await claim()).id).toBe(planted[0]);
  });

  it('has no room for more than is asked for, down to none', async () => {
    const planted = await plantWork(database.pool, { count: 5 });
    await expect(claim(0)).resolves.toEqual([]);
    expect((await claim(2)).map(({ id }) => id).toSorted()).toEqual(planted.slice(0, 2).toSorted());
    await expect(claim(2)).resolves.toEqual([]);
    await expect(claim(1)).resolves.toEqual([]);
  });
});

describe('redirecting the work of a request', () => {
  const redirect = async () => {
    const { request_id: requestId } = await rowOf();
    await store.transaction((tx) => tx.redirectWork(requestId, { from: ['submit'], to: 'cancel' }));
  };

  it('takes it from the queue, so that what was handed out before opens nothing', async () => {
    const handed = await handedOut();
    await redirect();
    await expect(rowOf()).resolves.toMatchObject({ kind: 'cancel', lease: null, due: true });
    await expect(take([handed])).resolves.toEqual([]);
    await expect(claim()).resolves.toEqual([expect.objectContaining({ id: handed.id, kind: 'cancel' })]);
  });

  it('leaves it to the worker that holds it', async () => {
    const lease = await held();
    const before = await rowOf();
    await redirect();
    await expect(rowOf()).resolves.toEqual(before);
    await expect(reschedule(lease)).resolves.toBe(true);
  });
});
