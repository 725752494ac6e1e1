import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { approveRequest } from '../../src/app/approve-request.ts';
import { createApiKey } from '../../src/app/create-api-key.ts';
import { holdRequest } from '../../src/app/hold-request.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import { createHold } from '../../src/app/standing-holds.ts';
import type { WorkKind } from '../../src/domain/work.ts';
import { queueBackends } from '../support/redis.ts';
import {
  checkTrail,
  openStage,
  OTHER_PROJECT,
  PROJECT,
  type Stage,
  type TrailEvent,
} from '../support/stage.ts';
import { readWork } from '../support/work-rows.ts';
import { createStepRunner, doNext, type StepRunner } from '../support/worker-steps.ts';

/** Who was erased is looked at again. Steps are taken by hand, and the days go by when the test says so. */
const [backend] = queueBackends();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AGES = [DAY_MS, 7 * DAY_MS, 30 * DAY_MS];

let stage: Stage;
let steps: StepRunner;
/** The same service where nobody looks. */
let blind: StepRunner;
let colleague: string;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({
    backend,
    withoutWorker: true,
    sandbox: { jobDelayMs: HOUR_MS, analyticsLagMs: 0 },
    pace: {
      verification: { settleMs: 0, retryMs: 1, requireUserAbsent: true },
      sentinelAgesMs: AGES,
    },
  });
  const { deps } = stage;
  steps = createStepRunner(deps);
  blind = createStepRunner({ ...deps, pace: { ...deps.pace, sentinelAgesMs: [] } });
  colleague = (await createApiKey(deps, { name: 'colleague', scopes: ['admin'] }, 'local')).id;
});
afterAll(async () => {
  await steps.close();
  await blind.close();
  await stage.close();
});

const asked = (userId: string) =>
  stage.sandbox.deletionsAsked.filter((deletion) => deletion.userId === userId).length;

/** Does a request's work, jobs at once, up to the first step of that kind. */
async function workOn(id: string, until: WorkKind, runner = steps): Promise<void> {
  for (let kind: WorkKind | undefined; kind !== until;) {
    kind = await doNext(stage, runner, id);
    if (kind === undefined) throw new Error('no work is left');
    if (kind === 'submit') stage.sandbox.runAllJobs();
  }
}

/** Takes a request of one task through its night to its end. */
async function carryOut(id: string, runner = steps): Promise<RequestView> {
  await workOn(id, 'verify', runner);
  return stage.show(id);
}

/** Somebody who was erased, as is seen from all they were: the id of the request. */
async function erase(userId: string, runner = steps): Promise<string> {
  stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
  const { id } = await stage.submit(userId);
  expect(await carryOut(id, runner)).toMatchObject({ state: 'completed', outcome: 'erased' });
  return id;
}

/** As if the erasure had been so many days ago. */
async function daysGoBy(id: string, days: number): Promise<void> {
  await stage.database.pool.query(
    `UPDATE tasks SET verification = jsonb_set(verification, '{verifiedAt}', to_jsonb($2::text))
     WHERE request_id = $1 AND state = 'erased'`,
    [id, new Date(Date.now() - days * DAY_MS).toISOString()],
  );
}

const restore = (userId: string, projectKey = PROJECT) =>
  stage.sandbox.addSession({ projectKey, userId, startTs: Date.now() - 40 * DAY_MS });

/** The request's next step is a look so many days after the erasure: the event that tells of it. */
async function look(id: string, days = 1): Promise<TrailEvent> {
  await daysGoBy(id, days);
  expect(await doNext(stage, steps, id)).toBe('sentinel');
  return lastOf(id);
}

/** The last event; nothing else of a closed request has changed. */
async function lastOf(id: string): Promise<TrailEvent> {
  const view = await stage.show(id);
  const events = await stage.trail(id);
  checkTrail(view, events);
  expect(view).toMatchObject({ state: 'completed', outcome: 'erased', waiting: null, forecast: null });
  const last = events.at(-1);
  if (last === undefined) throw new Error('there is no event');
  return last;
}

const reopening = z.object({ how: z.string(), request_id: z.string(), made: z.boolean() });
const reopened = async ({ data }: TrailEvent) => {
  const { how, request_id: requestId, made } = reopening.parse(data);
  return { how, made, view: await stage.show(requestId) };
};

describe('somebody who stays away', () => {
  it('is looked at after each age, and then no more', async () => {
    const id = await erase('stays away');
    const [row] = (await readWork(stage.database.pool)).filter((work) => work.request_id === id);
    const { completedAt, tasks } = await stage.show(id);
    expect(row).toMatchObject({ kind: 'sentinel', run_at: new Date(Date.parse(completedAt ?? '') + DAY_MS) });
    expect(tasks).toMatchObject([{ state: 'erased', waiting: null }]);
    for (const [index, age] of AGES.entries()) {
      const event = await look(id, age / DAY_MS);
      expect(event).toMatchObject({
        type: 'task.sentinel_absent',
        data: { age_ms: age, next_age_ms: AGES[index + 1] ?? null },
      });
    }
    expect(await doNext(stage, steps, id)).toBeUndefined();
    expect(asked('stays away')).toBe(1);
  });

  it('is looked at once more where OpenReplay did not answer', async () => {
    const id = await erase('not answered');
    for (let times = 0; times < 2; times += 1) {
      stage.sandbox.script('getUser', 'errors500');
      expect((await look(id)).type).toBe('task.sentinel_delayed');
    }
    expect((await look(id)).type).toBe('task.sentinel_absent');
    const types = (await stage.trail(id)).map(({ type }) => type);
    expect(types.slice(-2)).toEqual(['task.sentinel_delayed', 'task.sentinel_absent']);
  });

  it('is not looked at where no ages are configured', async () => {
    const id = await erase('not looked at', blind);
    expect(await doNext(stage, blind, id)).toBeUndefined();
    // Nor what was to be looked at before that was configured.
    const earlier = await erase('no longer looked at');
    const { getUser } = stage.sandbox.calls;
    expect(await doNext(stage, blind, earlier)).toBe('sentinel');
    expect(await doNext(stage, blind, earlier)).toBeUndefined();
    expect(stage.sandbox.calls.getUser).toBe(getUser);
  });
});

describe('data that was restored', () => {
  it('is erased again by itself', async () => {
    const id = await erase('restored');
    restore('restored');
    const event = await look(id, 7);
    const { how, made, view } = await reopened(event);
    expect({ how, made }).toEqual({ how: 'restored', made: true });
    expect(event.type).toBe('task.sentinel_reappeared');
    expect(view).toMatchObject({
      ...{ state: 'discovering', channel: 'sentinel', connection: 'default', projectKeys: [PROJECT] },
      ...{ approvals: { needed: 0, given: 0 }, subject: (await stage.show(id)).subject },
    });
    expect(view.receivedAt).toBe(view.createdAt);
    expect(await carryOut(view.id)).toMatchObject({ state: 'completed', outcome: 'erased' });
    expect(stage.sandbox.sessionCount(PROJECT, 'restored')).toBe(0);
    const trail = await stage.trail(view.id);
    checkTrail(await stage.show(view.id), trail);
    expect(trail[0]).toMatchObject({ data: { channel: 'sentinel', reopens_request_id: id } });
    // From now on the new request looks.
    expect(await doNext(stage, steps, id)).toBeUndefined();
    expect(await look(view.id)).toMatchObject({ type: 'task.sentinel_absent' });
  });

  it('is kept while a hold stands on the subject', async () => {
    const id = await erase('held');
    await createHold(stage.deps, {
      subject: { userId: 'held' },
      reason: 'litigation',
      apiKeyId: stage.apiKeyId,
    });
    restore('held');
    const { view } = await reopened(await look(id));
    expect(view).toMatchObject({ state: 'on_hold', hold: { by: 'standing_hold' } });
    expect(await doNext(stage, steps, view.id)).toBeUndefined();
    expect(asked('held')).toBe(1);
  });

  it('makes one request, however many looks find it at once', async () => {
    const first = await erase('twice');
    const second = await erase('twice');
    restore('twice');
    await daysGoBy(first, 1);
    await daysGoBy(second, 1);
    await stage.database.pool.query(
      `UPDATE work SET run_at = now() + CASE WHEN request_id = ANY ($1) THEN interval '-1 second' ELSE interval '1 hour' END
       WHERE lease IS NULL AND kind = 'sentinel'`,
      [[first, second]],
    );
    const work = await stage.deps.store.claimDueWork({
      connection: 'default',
      handOutMs: HOUR_MS,
      max: 9,
      maxPolls: 9,
    });
    expect(work.map(({ kind }) => kind)).toEqual(['sentinel', 'sentinel']);
    await Promise.all(work.map((one) => steps.run(one, () => Promise.resolve(undefined))));
    const both = [await reopened(await lastOf(first)), await reopened(await lastOf(second))];
    expect(both.filter(({ made }) => made)).toHaveLength(1);
    expect(new Set(both.map(({ view }) => view.id)).size).toBe(1);
  });
});

describe('somebody who may have come back', () => {
  it('with a new session is erased only once a person agrees', async () => {
    const id = await erase('comes back');
    restore('comes back');
    stage.sandbox.addSession({ projectKey: PROJECT, userId: 'comes back' });
    const { how, view } = await reopened(await look(id));
    expect(how).toBe('returned');
    expect(view).toMatchObject({ state: 'awaiting_approval', approvals: { needed: 1, given: 0 } });
    expect(await doNext(stage, steps, view.id)).toBeUndefined();
    expect([asked('comes back'), stage.sandbox.sessionCount(PROJECT, 'comes back')]).toEqual([1, 2]);
    await approveRequest(stage.deps, { requestId: view.id, apiKeyId: colleague });
    expect(await carryOut(view.id)).toMatchObject({ state: 'completed' });
    expect(asked('comes back')).toBe(2);
  });

  it('with no more than a record is asked about, too', async () => {
    const id = await erase('only a record');
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'only a record', sessions: 0 });
    const { how, view } = await reopened(await look(id));
    expect({ how, state: view.state }).toEqual({ how: 'returned', state: 'awaiting_approval' });
    expect(asked('only a record')).toBe(1);
  });

  it('or whose request somebody has stopped since is asked about, too', async () => {
    const userId = 'stopped half way';
    for (const projectKey of [PROJECT, OTHER_PROJECT])
      stage.sandbox.addUser({ projectKey, userId, sessions: 1 });
    const { id } = await stage.submit(userId, { projectKeys: [PROJECT, OTHER_PROJECT] });
    await workOn(id, 'verify');
    await holdRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId, text: 'wait' });
    const there = (await stage.show(id)).tasks.find(({ state }) => state === 'erased')?.projectKey;
    restore(userId, there ?? '');
    await daysGoBy(id, 1);
    let found: TrailEvent | undefined;
    // What is left of the other task comes first.
    for (let tries = 0; found === undefined && tries < 10; tries += 1) {
      await doNext(stage, steps, id);
      found = (await stage.trail(id)).find(({ type }) => type === 'task.sentinel_reappeared');
    }
    if (found === undefined) throw new Error('nobody was found');
    const { how, view } = await reopened(found);
    expect({ how, state: view.state, projectKeys: view.projectKeys }).toEqual({
      ...{ how: 'restored', state: 'awaiting_approval', projectKeys: [there] },
    });
    expect(await stage.show(id)).toMatchObject({ state: 'on_hold' });
  });
});
