import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Store } from '../../src/app/ports.ts';
import { startDispatcher, type Dispatcher, type DispatcherOptions } from '../../src/queue/dispatcher.ts';
import { createStore } from '../../src/store/store.ts';
import { eventually, gate, RecordingPublisher, Watch, type Claim } from '../support/dispatching.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { endLeases, plantWork, readWork } from '../support/work-rows.ts';

const HOUR_MS = 3_600_000;

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore(database.pool);
});
afterAll(() => database.drop());

let started: Dispatcher[] = [];
beforeEach(() => database.pool.query('DELETE FROM work'));
afterEach(async () => {
  for (const dispatcher of started) await dispatcher.stop();
  started = [];
});

interface Scene {
  readonly publisher: RecordingPublisher;
  readonly watch: Watch;
  readonly dispatcher: Dispatcher;
}

/** Starts a dispatcher of the connection `default`, stopped after the test. It looks again after 2 ms. */
function start(
  changes: Partial<Omit<DispatcherOptions, 'store' | 'log'>> = {},
  parts: { publisher?: RecordingPublisher; claim?: Claim } = {},
): Scene {
  const publisher = parts.publisher ?? new RecordingPublisher();
  const watch = new Watch(parts.claim ?? ((limits) => store.claimDueWork(limits)));
  const dispatcher = startDispatcher({
    store: watch,
    publishers: new Map([['default', publisher]]),
    intervalMs: 2,
    handOutMs: HOUR_MS,
    maxHandedOut: 1_000,
    log: watch.log,
    ...changes,
  });
  started.push(dispatcher);
  return { publisher, watch, dispatcher };
}

/** Waits for a whole look that began after now: what the dispatcher would hand out, it has handed out then. */
async function looksAgain({ watch }: Scene): Promise<void> {
  const before = watch.looks.length;
  await eventually(() => watch.looks.length >= before + 3);
}

const idsOf = (work: readonly { id: string }[]): string[] => work.map(({ id }) => id).toSorted();

describe('a dispatcher hands out', () => {
  it('only what is due, with the lease that stands in the row', async () => {
    const due = await plantWork(database.pool, { count: 3 });
    await plantWork(database.pool, { count: 2, dueInMs: HOUR_MS });
    const scene = start();
    await eventually(() => scene.publisher.jobs.length > 0);
    await looksAgain(scene);
    const leased = (await readWork(database.pool)).filter(({ lease }) => lease !== null);
    expect(idsOf(scene.publisher.work)).toEqual(due.toSorted());
    expect(leased.map(({ id, lease }) => ({ id, lease }))).toEqual(
      expect.arrayContaining([...scene.publisher.work]),
    );
    expect(leased).toHaveLength(3);
    expect(leased.every(({ held, due: stillDue }) => !held && !stillDue)).toBe(true);
  });

  it('only work of its own connections, each to its own queue', async () => {
    const [a, b] = await Promise.all([
      plantWork(database.pool, { count: 2, connection: 'a', kind: 'poll' }),
      plantWork(database.pool, { count: 3, connection: 'b', kind: 'poll' }),
      plantWork(database.pool, { count: 4, connection: 'somebody-elses' }),
    ]);
    const [queueA, queueB] = [new RecordingPublisher(), new RecordingPublisher()];
    const scene = start({
      publishers: new Map([
        ['a', queueA],
        ['b', queueB],
      ]),
    });
    await eventually(() => queueA.work.length > 0 && queueB.work.length > 0);
    await looksAgain(scene);
    expect([idsOf(queueA.work), idsOf(queueB.work)]).toEqual([a.toSorted(), b.toSorted()]);
    expect((await readWork(database.pool)).filter(({ lease }) => lease === null)).toHaveLength(4);
  });

  it('ids and leases, and nothing else', async () => {
    await plantWork(database.pool);
    const { publisher } = start();
    await eventually(() => publisher.jobs.length > 0);
    const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
    expect(publisher.jobs).toEqual([
      {
        kind: 'submit',
        work: [{ id: expect.stringMatching(/^\d+$/), lease: expect.stringMatching(uuid) }],
      },
    ]);
  });

  it('the polls of a project in one job, at most 1,000, and everything else one by one', async () => {
    await plantWork(database.pool, { count: 1_050, kind: 'poll', projectKey: 'projectA' });
    await plantWork(database.pool, { count: 3, kind: 'poll', projectKey: 'projectB' });
    await plantWork(database.pool, { count: 2, kind: 'poll', projectKey: null });
    for (const kind of ['submit', 'verify', 'cancel', 'discover'] as const)
      await plantWork(database.pool, { count: 2, kind });
    const { publisher } = start({ maxHandedOut: 2_000 });
    await eventually(() => publisher.work.length === 1_063);
    const sizes = publisher.jobs.map(({ kind, work }) => `${kind} ${work.length}`).toSorted();
    expect(sizes).toEqual(
      [
        ...['poll 1000', 'poll 50', 'poll 3', 'poll 1', 'poll 1'],
        ...['submit', 'verify', 'cancel', 'discover'].flatMap((kind) => [`${kind} 1`, `${kind} 1`]),
      ].toSorted(),
    );
    expect(new Set(idsOf(publisher.work)).size).toBe(1_063);
  });

  it('a lease that ran out again, under another lease; the first opens nothing any more', async () => {
    const [id] = await plantWork(database.pool);
    const { publisher } = start();
    await eventually(() => publisher.work.length === 1);
    await endLeases(database.pool);
    await eventually(() => publisher.work.length === 2);
    const [first, second] = publisher.work;
    if (first === undefined || second === undefined) throw new Error('nothing was published');
    expect([first.id, second.id]).toEqual([id, id]);
    expect(second.lease).not.toBe(first.lease);
    await expect(store.takeWork([first], HOUR_MS)).resolves.toEqual([]);
    await expect(store.takeWork([second], HOUR_MS)).resolves.toHaveLength(1);
  });

  it('no more than maxHandedOut at a time, what workers hold included, and the oldest first', async () => {
    const planted = await plantWork(database.pool, { count: 25 });
    const scene = start({ maxHandedOut: 10 });
    await eventually(() => scene.publisher.work.length > 0);
    await looksAgain(scene);
    expect(idsOf(scene.publisher.work)).toEqual(planted.slice(0, 10).toSorted());
    const held = await store.takeWork(scene.publisher.work.slice(0, 6), HOUR_MS);
    await looksAgain(scene);
    expect(scene.publisher.work).toHaveLength(10);
    for (const work of held.slice(0, 4)) await store.deleteWork(work);
    await looksAgain(scene);
    expect(idsOf(scene.publisher.work)).toEqual(planted.slice(0, 14).toSorted());
    expect((await readWork(database.pool)).filter(({ lease }) => lease !== null)).toHaveLength(10);
  });

  it('looks at who was erased after all else, however long they are due', async () => {
    const looks = await plantWork(database.pool, { count: 3, kind: 'sentinel', dueInMs: -HOUR_MS });
    const others = await plantWork(database.pool, { count: 2 });
    const claim = (max: number) =>
      store.claimDueWork({ connection: 'default', handOutMs: HOUR_MS, max, maxPolls: max }).then(idsOf);
    await expect(claim(3)).resolves.toEqual([...others, looks[0]].toSorted());
    await expect(claim(5)).resolves.toEqual(looks.slice(1).toSorted());
  });
});

describe('polls', () => {
  it('go together, however much else is out', async () => {
    await plantWork(database.pool, { count: 30, dueInMs: -120_000 });
    await plantWork(database.pool, { count: 8, kind: 'poll' });
    const scene = start({ maxHandedOut: 10 });
    await eventually(() => scene.publisher.work.length >= 18);
    await looksAgain(scene);
    expect(scene.publisher.jobs.filter(({ kind }) => kind === 'poll').map(({ work }) => work.length)).toEqual(
      [8],
    );
    expect(scene.publisher.jobs.filter(({ kind }) => kind === 'submit')).toHaveLength(10);
  });

  it('go together to a queue that is full of other work, and stay where it is fuller than it may be', async () => {
    const scene = start({ maxHandedOut: 10 });
    scene.publisher.waiting = 10;
    await plantWork(database.pool, { count: 1 });
    await looksAgain(scene);
    await plantWork(database.pool, { count: 8, kind: 'poll' });
    await eventually(() => scene.publisher.jobs.some(({ kind }) => kind === 'poll'));
    expect(scene.publisher.jobs.filter(({ kind }) => kind === 'poll').map(({ work }) => work.length)).toEqual(
      [8],
    );
    scene.publisher.waiting = 11;
    await plantWork(database.pool, { count: 5, kind: 'poll' });
    await looksAgain(scene);
    await looksAgain(scene);
    expect(scene.publisher.jobs.filter(({ kind }) => kind === 'poll')).toHaveLength(1);
  });
});

describe('a queue that is behind', () => {
  it('gets nothing more for jobs that still wait in it, though their hand-out is over', async () => {
    await plantWork(database.pool, { count: 30 });
    const scene = start({ maxHandedOut: 10 });
    await eventually(() => scene.publisher.work.length === 10);
    scene.publisher.waiting = 10;
    await endLeases(database.pool);
    await looksAgain(scene);
    expect(scene.publisher.work).toHaveLength(10);
    scene.publisher.waiting = 4;
    await eventually(() => scene.publisher.work.length > 10);
    await looksAgain(scene);
    expect(scene.publisher.work).toHaveLength(16);
  });
});

describe('several dispatchers at once', () => {
  it('never hand out the same work twice while its lease runs', async () => {
    const planted = await plantWork(database.pool, { count: 300 });
    const done = new RecordingPublisher(async (jobs) => {
      for (const lease of jobs.flatMap((job) => job.work)) await store.deleteWork(lease);
    });
    // So little at a time that all of them are at it until the end.
    for (let index = 0; index < 4; index += 1) start({ maxHandedOut: 8 }, { publisher: done });
    await eventually(() => done.work.length >= 300);
    expect(idsOf(done.work)).toEqual(planted.toSorted());
    expect(new Set(done.work.map(({ lease }) => lease)).size).toBe(300);
    expect(await readWork(database.pool)).toEqual([]);
  });
});

describe('a nudge', () => {
  it('makes a waiting dispatcher look at once', async () => {
    const { publisher, watch, dispatcher } = start({ intervalMs: HOUR_MS });
    await eventually(() => watch.looks.length === 1);
    const [id] = await plantWork(database.pool);
    dispatcher.nudge();
    await eventually(() => publisher.work.length === 1);
    expect(idsOf(publisher.work)).toEqual([id]);
  });

  it('during a look is not lost', async () => {
    const looked = gate();
    const { publisher, watch, dispatcher } = start(
      { intervalMs: HOUR_MS },
      {
        claim: async (limits) => {
          const found = await store.claimDueWork(limits);
          if (watch.looks.length === 0) await looked.opened;
          return found;
        },
      },
    );
    await plantWork(database.pool);
    dispatcher.nudge();
    looked.open();
    await eventually(() => publisher.work.length === 1);
  });

  it('makes no other look than one, however often it came', async () => {
    const { watch, dispatcher } = start({ intervalMs: HOUR_MS });
    await eventually(() => watch.looks.length === 1);
    for (let index = 0; index < 5; index += 1) dispatcher.nudge();
    await eventually(() => watch.looks.length === 2);
    await turn();
    expect(watch.looks).toHaveLength(2);
  });
});

describe('after a failure', () => {
  it('of the queue, the work is handed out again when its lease is over', async () => {
    const [id] = await plantWork(database.pool);
    const failure = new Error('queue away');
    let failures = 1;
    const publisher = new RecordingPublisher(() => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(failure) : Promise.resolve();
    });
    const scene = start({}, { publisher });
    await eventually(() => scene.watch.warnings.length === 1);
    await looksAgain(scene);
    expect(scene.watch.warnings).toEqual([{ err: failure, failures: 1 }]);
    expect(publisher.work).toEqual([]);
    const [row] = await readWork(database.pool);
    expect(row).toMatchObject({ id, held: false, due: false });
    await endLeases(database.pool);
    await eventually(() => publisher.work.length === 1);
    expect(publisher.work).toEqual([{ id, lease: expect.not.stringMatching(row?.lease ?? 'none') }]);
  });

  it('of the database, it looks again until there is an answer', async () => {
    const [id] = await plantWork(database.pool);
    let failures = 3;
    const { publisher, watch } = start(
      {},
      {
        claim: async (limits) => {
          failures -= 1;
          if (failures >= 0) throw new Error('database away');
          return store.claimDueWork(limits);
        },
      },
    );
    await eventually(() => publisher.work.length === 1);
    expect(idsOf(publisher.work)).toEqual([id]);
    expect(watch.warnings).toEqual(
      [1, 2, 3].map((count) => ({ err: new Error('database away'), failures: count })),
    );
  });

  describe('on a clock of its own', () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    it('waits longer each time, up to ten seconds, and as short as ever once it went well', async () => {
      let away = true;
      const times: number[] = [];
      const begin = Date.now();
      const { dispatcher } = start(
        { intervalMs: 500 },
        {
          claim: () => {
            times.push(Date.now() - begin);
            return away ? Promise.reject(new Error('database away')) : Promise.resolve([]);
          },
        },
      );
      await jest.advanceTimersByTimeAsync(35_000);
      away = false;
      await jest.advanceTimersByTimeAsync(11_000);
      away = true;
      await jest.advanceTimersByTimeAsync(1_600);
      expect(times).toEqual([
        0, 1_000, 3_000, 7_000, 15_000, 25_000, 35_000, 45_000, 45_500, 46_000, 46_500, 47_500,
      ]);
      await dispatcher.stop();
      await jest.advanceTimersByTimeAsync(HOUR_MS);
      expect([times.length, jest.getTimerCount()]).toEqual([12, 0]);
    });
  });
});

describe('a stopped dispatcher', () => {
  it('ends at once while it waits, and hands out nothing any more, nudged or not', async () => {
    const { publisher, watch, dispatcher } = start({ intervalMs: HOUR_MS });
    await eventually(() => watch.looks.length === 1);
    await dispatcher.stop();
    await plantWork(database.pool);
    dispatcher.nudge();
    await turn();
    await dispatcher.stop();
    expect([watch.looks.length, publisher.jobs.length]).toEqual([1, 0]);
    expect((await readWork(database.pool)).map(({ lease }) => lease)).toEqual([null]);
  });

  it('has handed out before it ends what it had leased', async () => {
    await plantWork(database.pool);
    const [reached, released] = [gate(), gate()];
    const publisher = new RecordingPublisher(() => {
      reached.open();
      return released.opened;
    });
    const { watch, dispatcher } = start({}, { publisher });
    await reached.opened;
    const order: string[] = [];
    const stopped = dispatcher.stop().then(() => order.push('stopped'));
    await readWork(database.pool);
    order.push('released');
    released.open();
    await stopped;
    expect(order).toEqual(['released', 'stopped']);
    expect([publisher.work.length, watch.looks.length]).toEqual([1, 1]);
  });
});
