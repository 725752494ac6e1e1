import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { beginTaskStep, type BegunStep } from '../../src/app/begin-task-step.ts';
import { gatherTask } from '../../src/app/gather-task.ts';
import { retryRequest } from '../../src/app/retry-request.ts';
import { createHold } from '../../src/app/standing-holds.ts';
import type { Connection } from '../../src/app/ports.ts';
import type { WorkKind } from '../../src/domain/work.ts';
import type { SessionRecord } from '../../src/sandbox/state.ts';
import { cancel } from '../../workers/cancel.ts';
import type { WorkerContext } from '../../workers/context.ts';
import { discover } from '../../workers/discover.ts';
import { expire, gather, packUp } from '../../workers/gather.ts';
import { HeldWork } from '../../workers/held-work.ts';
import { ServerMemory } from '../../workers/server-memory.ts';
import { submit } from '../../workers/submit.ts';
import { addPerson, ask, linesOf, packageOf } from '../support/access.ts';
import { gate } from '../support/dispatching.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';
import { endLeases } from '../support/work-rows.ts';

/** Steps of a gathering taken by hand, so that one can be lost exactly where it hurts. */
const [backend] = queueBackends();

let stage: Stage;
let context: WorkerContext;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true, access: { pageSize: 3, callsPerStep: 4 } });
  const { deps } = stage;
  const held = new HeldWork({ store: deps.store, leaseMs: deps.leaseMs, log: deps.log });
  context = { deps, held, memory: new ServerMemory() };
});
afterAll(async () => {
  await context.held.release();
  await stage.close();
});

const claim = () =>
  stage.deps.store.claimDueWork({ connection: 'default', handOutMs: 60_000, max: 100, maxPolls: 100 });

const STEPS = { discover, gather, package: packUp, submit, cancel, expire_package: expire } as const;

const isExpected = (kind: WorkKind): kind is keyof typeof STEPS => kind in STEPS;

/** Does one piece of work that is due, and says which; undefined when none is. */
async function doOne(): Promise<WorkKind | undefined> {
  const [work] = await claim();
  if (work === undefined) return undefined;
  if (!isExpected(work.kind)) throw new Error(`${work.kind} was not to come`);
  await STEPS[work.kind](context, work);
  return work.kind;
}

/** Does what is due for as long as it is of these kinds, and gives the kinds. */
async function doAll(): Promise<WorkKind[]> {
  const done: WorkKind[] = [];
  for (let kind = await doOne(); kind !== undefined; kind = await doOne()) done.push(kind);
  return done;
}

async function takeGathering(): Promise<BegunStep> {
  const [work] = await claim();
  const begun = work && (await beginTaskStep(stage.deps, work));
  if (begun?.work.kind !== 'gather') throw new Error('nothing is to be gathered');
  return begun;
}

function connection(): Connection {
  const found = stage.deps.connections.get('default');
  if (found === undefined) throw new Error('no connection');
  return found;
}

async function expectWhole(id: string, sessions: readonly SessionRecord[]): Promise<void> {
  const files = await packageOf(stage, id);
  expect(linesOf(files.get('001/sessions.ndjson'))).toEqual(
    sessions.map(({ sessionId }) => expect.objectContaining({ sessionId })),
  );
  expect(linesOf(files.get('001/events.ndjson'))).toEqual(
    sessions.flatMap(({ sessionId, eventsCount }) =>
      Array.from({ length: eventsCount }, (_, n) =>
        expect.objectContaining({
          sessionId,
          event: expect.objectContaining({ event_id: `${sessionId}-${n + 1}` }),
        }),
      ),
    ),
  );
}

describe('a gathering', () => {
  it('takes many short steps, and whatever step is lost or comes late, nothing is missing or double', async () => {
    const sessions = addPerson(stage, { userId: 'lost', sessions: 5, eventsCount: 4 });
    const id = await ask(stage, { userId: 'lost', type: 'access' });
    expect(await doOne()).toBe('discover');
    let steps = 0;
    for (; (await stage.show(id)).state === 'gathering'; steps += 1) {
      const [waiting] = await claim();
      if (waiting?.kind !== 'gather') {
        if (waiting !== undefined) await packUp(context, waiting);
        continue;
      }
      // A worker takes the step, reads, and stands still before it writes; its lease runs out.
      const late = await beginTaskStep(stage.deps, waiting);
      if (late === undefined) throw new Error('nothing was taken');
      const { opened, open } = gate();
      const { records } = connection();
      const slow = async <T>(read: Promise<T>): Promise<T> => {
        const value = await read;
        await opened;
        return value;
      };
      const writing = gatherTask(stage.deps, late, {
        ...connection(),
        records: {
          readUser: (user) => slow(records.readUser(user)),
          readSessions: (user, query) => slow(records.readSessions(user, query)),
          readEvents: (session, query) => slow(records.readEvents(session, query)),
        },
      });
      // Another one takes it over and is quicker.
      await endLeases(stage.database.pool);
      const begun = await takeGathering();
      expect(await gatherTask(stage.deps, begun, connection())).toBe(true);
      open();
      expect(await writing).toBe(false);
    }
    expect(steps).toBeGreaterThan(4);
    await expectWhole(id, sessions);
    const view = await stage.show(id);
    checkTrail(view, await stage.trail(id));
    expect(view).toMatchObject({ outcome: 'access_provided' });
  });

  it('reads again what a worker had read that was killed before it wrote', async () => {
    const sessions = addPerson(stage, { userId: 'killed', sessions: 4, eventsCount: 2 });
    const id = await ask(stage, { userId: 'killed', type: 'access' });
    await doOne();
    await doOne();
    await takeGathering();
    await endLeases(stage.database.pool);
    expect(await doAll()).toEqual(expect.arrayContaining(['gather', 'package']));
    await expectWhole(id, sessions);
  });

  it('loses no session, and has none twice, when another one comes meanwhile', async () => {
    const userId = 'busy';
    const sessions = addPerson(stage, { userId, sessions: 4, eventsCount: 1 });
    const id = await ask(stage, { userId, type: 'access' });
    await doOne();
    await doOne();
    const late = stage.sandbox.addSession({ projectKey: PROJECT, userId, eventsCount: 1 });
    await doAll();
    const files = await packageOf(stage, id);
    const ids = linesOf(files.get('001/sessions.ndjson')).map((line) => JSON.stringify(line));
    for (const { sessionId } of sessions)
      expect(ids.filter((line) => line.includes(sessionId))).toHaveLength(1);
    expect(ids.filter((line) => line.includes(late.sessionId)).length).toBeLessThanOrEqual(1);
  });

  it('leaves a session out that the server fails at again and again, and says so', async () => {
    addPerson(stage, { userId: 'stubborn', sessions: 2, eventsCount: 1 });
    const id = await ask(stage, { userId: 'stubborn', type: 'access' });
    await doOne();
    stage.sandbox.script('listSessionEvents', 'htmlErrors', 8);
    while ((await stage.show(id)).state === 'gathering') {
      await doAll();
      // What waits for the server to recover is due now.
      await stage.database.pool.query(
        'UPDATE work SET run_at = now() WHERE request_id = $1 AND attempts > 0',
        [id],
      );
    }
    const view = await stage.show(id);
    expect(view).toMatchObject({ attention: 'package_incomplete', accessPackage: { gaps: 1 } });
    const files = await packageOf(stage, id);
    expect(linesOf(files.get('001/gaps.ndjson'))).toMatchObject([{ reason: 'server_error' }]);
    expect(linesOf(files.get('001/events.ndjson'))).toHaveLength(1);
  });
});

describe('a package that is ready', () => {
  it('expires: its data is deleted by work that is due then, and it is gone before that work comes', async () => {
    addPerson(stage, { userId: 'forgets', sessions: 1, eventsCount: 1 });
    const id = await ask(stage, { userId: 'forgets', type: 'access' });
    await doAll();
    expect((await stage.show(id)).accessPackage).toMatchObject({ state: 'ready' });
    const { pool } = stage.database;
    await pool.query('UPDATE access_packages SET expires_at = now() WHERE request_id = $1', [id]);
    await expect(packageOf(stage, id)).rejects.toMatchObject({ code: 'PACKAGE_GONE' });
    await pool.query(`UPDATE work SET run_at = now() WHERE request_id = $1`, [id]);
    expect(await doAll()).toEqual(['expire_package']);
    const view = await stage.show(id);
    expect(view).toMatchObject({ state: 'completed', accessPackage: { state: 'expired' }, waiting: null });
    checkTrail(view, await stage.trail(id));
    const { rows } = await pool.query('SELECT 1 FROM package_parts WHERE request_id = $1', [id]);
    expect(rows).toEqual([]);
  });
});

describe('a package that lacks something', () => {
  it('is gathered again when it is accepted after it expired: nobody has got it', async () => {
    addPerson(stage, { userId: 'too late', sessions: 1, eventsCount: 1 });
    stage.sandbox.script('listSessionEvents', 'jobHiccup404');
    const id = await ask(stage, { userId: 'too late', type: 'access' });
    await doAll();
    expect(await stage.show(id)).toMatchObject({ attention: 'package_incomplete' });
    await stage.database.pool.query('UPDATE work SET run_at = now() WHERE request_id = $1', [id]);
    expect(await doAll()).toEqual(['expire_package']);

    const accepted = { requestId: id, apiKeyId: stage.apiKeyId, acceptIncomplete: true };
    expect(await retryRequest(stage.deps, accepted)).toMatchObject({ state: 'gathering' });
    expect(await doAll()).toEqual(['gather', 'package']);
    const view = await stage.show(id);
    expect(view).toMatchObject({ outcome: 'access_provided', accessPackage: { state: 'ready', gaps: 0 } });
    checkTrail(view, await stage.trail(id));
  });
});

describe('the deletion', () => {
  it('is not begun for who asks for access alone, whatever work says', async () => {
    addPerson(stage, { userId: 'never', sessions: 1, eventsCount: 1 });
    const id = await ask(stage, { userId: 'never', type: 'access' });
    await doOne();
    await stage.database.pool.query(`UPDATE work SET kind = 'submit' WHERE request_id = $1`, [id]);
    expect(await doAll()).toEqual(['submit']);
    expect(stage.sandbox.deletionsAsked).toEqual([]);
  });

  it('looks at holds when the package is ready, also at those that came while it was gathered', async () => {
    addPerson(stage, { userId: 'late-hold', sessions: 1, eventsCount: 1 });
    const id = await ask(stage, { userId: 'late-hold', type: 'access_and_erasure' });
    await doOne();
    await createHold(stage.deps, {
      subject: { userId: 'late-hold' },
      reason: 'litigation',
      apiKeyId: stage.apiKeyId,
    });
    expect((await stage.show(id)).state).toBe('gathering');
    await doAll();
    expect(await stage.show(id)).toMatchObject({
      state: 'on_hold',
      hold: { by: 'standing_hold', from: 'erasing' },
      accessPackage: { state: 'ready' },
    });
    expect(stage.sandbox.deletionsAsked).toEqual([]);
  });
});
