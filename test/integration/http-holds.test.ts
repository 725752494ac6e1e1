import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { SCOPES } from '../../src/app/authenticate.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import type { HoldView } from '../../src/app/standing-holds.ts';
import {
  openApi,
  PERSON,
  placesIn,
  problemIn,
  viewIn,
  type Answer,
  type Api,
  type Call,
} from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';
import { createStepRunner, doNext, type StepRunner } from '../support/worker-steps.ts';

/**
 * Legal holds over real HTTP, at each point of an erasure: the steps of workers are taken by hand, and jobs run when the test
 * says so.
 */
const [backend] = queueBackends();
const REQUESTS = '/v1/erasure-requests';
const NO_HOLD = `hd_${'0'.repeat(32)}`;
const WORDS = `litigation of ${PERSON}`;
const HOUR_MS = 3_600_000;

let stage: Stage;
let api: Api;
let steps: StepRunner;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({
    backend,
    withoutWorker: true,
    rules: [{ regulations: ['gdpr'], identity: 'required', approval: 'one' }],
    sandbox: { jobDelayMs: HOUR_MS, analyticsLagMs: 0 },
    pace: { verification: { settleMs: 0, retryMs: 1, requireUserAbsent: true } },
  });
  steps = createStepRunner(stage.deps);
  api = await openApi(stage);
});
afterAll(async () => {
  await steps.close();
  await api.close();
  await stage.close();
});

let people = 0;
/** Somebody new, with three sessions at OpenReplay. */
function somebody(): { userId: string; email: string } {
  people += 1;
  const person = { userId: `${PERSON} ${people}`, email: `r${people}.${PERSON}` };
  stage.sandbox.addUser({ projectKey: PROJECT, ...person, sessions: 3 });
  return person;
}
/** Without a gate: `ccpa` has none here, `gdpr` two. */
async function submit(subject: object, regulation = 'ccpa'): Promise<RequestView> {
  const json = { subject, projectKeys: [PROJECT], regulation };
  return viewIn(await api.call(`POST ${REQUESTS}`, { json }));
}
const show = async (id: string) => viewIn(await api.call(`GET ${REQUESTS}/${id}`));
const decide = (id: string, command: string, json: object = { reason: WORDS }) =>
  api.call(`POST ${REQUESTS}/${id}/${command}`, { json });
const codeOf = (answer: Answer) => `${answer.status} ${problemIn(answer).code}`;
const asked = (userId: string) =>
  stage.sandbox.deletionsAsked.filter((deletion) => deletion.userId === userId).length;

/** The request's next steps are of these kinds, and then no work is left where they end in null. */
async function does(id: string, ...kinds: readonly (string | null)[]): Promise<void> {
  for (const kind of kinds) expect((await doNext(stage, steps, id)) ?? null).toBe(kind);
}

async function trailOf(id: string): Promise<readonly string[]> {
  const events = await stage.trail(id);
  checkTrail(await show(id), events);
  expect(JSON.stringify(events)).not.toContain(PERSON);
  return events.map(({ type }) => type);
}

const HELD = {
  state: 'on_hold',
  waiting: { reason: 'on_hold', actsNext: 'privacy_team', until: null },
} as const;

describe('a hold on a request', () => {
  it('stops it at its gate; what people do meanwhile counts, and the release takes it as far as that', async () => {
    const { id } = await submit(somebody(), 'gdpr');
    const held = await decide(id, 'hold');
    expect(viewIn(held)).toMatchObject({ ...HELD, hold: { by: 'person', from: 'awaiting_identity' } });
    expect((await decide(id, 'hold', { reason: 'again' })).body).toBe(held.body);
    await decide(id, 'verify-identity', { method: 'document' });
    expect(await show(id)).toMatchObject({ ...HELD, identity: { verifiedAt: expect.any(String) } });
    const released = viewIn(await decide(id, 'release'));
    expect(released).toMatchObject({ state: 'awaiting_approval', hold: null });
    expect(await trailOf(id)).toEqual([
      'request.received',
      'request.awaiting_identity',
      'request.on_hold',
      'request.identity_verified',
      'request.awaiting_approval',
    ]);
    expect((await stage.trail(id)).at(-1)?.data).toEqual({ released: true });
    expect(codeOf(await decide(id, 'release'))).toBe('409 REQUEST_STATE_FORBIDS');
  });

  it('keeps what was not looked for from being looked for', async () => {
    const { id } = await submit(somebody());
    await decide(id, 'hold');
    await does(id, null);
    expect(viewIn(await decide(id, 'release'))).toMatchObject({ state: 'discovering' });
    await does(id, 'discover');
    expect((await show(id)).state).toBe('erasing');
  });

  it('calls a job back that is scheduled at OpenReplay; the release submits anew', async () => {
    const person = somebody();
    const { id } = await submit(person);
    await does(id, 'discover', 'submit');
    expect(stage.sandbox.jobs(PROJECT).at(-1)?.status).toBe('scheduled');
    expect(viewIn(await decide(id, 'hold'))).toMatchObject({
      ...HELD,
      hold: { by: 'person', from: 'erasing' },
      tasks: [{ state: 'submitted' }],
    });
    await does(id, 'cancel', null);
    expect(stage.sandbox.jobs(PROJECT).at(-1)?.status).toBe('cancelled');
    expect(await show(id)).toMatchObject({ ...HELD, tasks: [{ state: 'pending' }] });
    stage.sandbox.runAllJobs();
    expect(stage.sandbox.sessionCount(PROJECT, person.userId)).toBe(3);
    expect(asked(person.userId)).toBe(1);

    expect(viewIn(await decide(id, 'release'))).toMatchObject({ state: 'erasing', hold: null });
    await does(id, 'submit');
    stage.sandbox.runAllJobs();
    await does(id, 'poll', 'verify', null);
    const view = await show(id);
    expect(view).toMatchObject({ state: 'completed', outcome: 'erased' });
    expect(view.tasks[0]?.rounds.map(({ reported }) => reported)).toEqual(['cancelled', 'completed']);
    expect(asked(person.userId)).toBe(2);
    await trailOf(id);
  });

  it('that is released before the job was called back leaves it to run', async () => {
    const person = somebody();
    const { id } = await submit(person);
    await does(id, 'discover', 'submit');
    await decide(id, 'hold');
    await decide(id, 'release');
    stage.sandbox.runAllJobs();
    await does(id, 'poll', 'verify', null);
    expect(await show(id)).toMatchObject({ state: 'completed', tasks: [{ rounds: [{ number: 1 }] }] });
    expect(asked(person.userId)).toBe(1);
    await trailOf(id);
  });

  it('lets be seen what has been deleted already, and completes nothing before its release', async () => {
    const { id } = await submit(somebody());
    await does(id, 'discover', 'submit');
    stage.sandbox.runAllJobs();
    await does(id, 'poll');
    expect(await show(id)).toMatchObject({ tasks: [{ state: 'verifying' }] });
    await decide(id, 'hold');
    await does(id, 'verify', null);
    expect(await show(id)).toMatchObject({ ...HELD, completedAt: null, tasks: [{ state: 'erased' }] });
    const released = viewIn(await decide(id, 'release'));
    expect(released).toMatchObject({ state: 'completed', outcome: 'erased', hold: null });
    await trailOf(id);
  });

  it('while a job is verified keeps the next round from being asked for', async () => {
    const person = somebody();
    const { id } = await submit(person);
    await does(id, 'discover', 'submit');
    stage.sandbox.runAllJobs();
    await does(id, 'poll');
    stage.sandbox.addSession({ projectKey: PROJECT, userId: person.userId });
    await decide(id, 'hold');
    await does(id, 'verify', null);
    expect(await show(id)).toMatchObject({ ...HELD, tasks: [{ state: 'pending' }] });
    expect(asked(person.userId)).toBe(1);
    await decide(id, 'release');
    await does(id, 'submit');
    expect(asked(person.userId)).toBe(2);
    await trailOf(id);
  });
});

const holdView = z.custom<HoldView>();
const holdPage = z.object({ items: z.array(holdView), nextCursor: z.string().nullable() });
async function hold(subject: object): Promise<HoldView> {
  const answer = await api.call('POST /v1/holds', { json: { subject, reason: WORDS }, reveals: 'person' });
  expect(answer.status).toBe(201);
  return holdView.parse(JSON.parse(answer.body));
}
async function release(id: string): Promise<HoldView> {
  const json = { reason: 'settled' };
  const answer = await api.call(`POST /v1/holds/${id}/release`, { json, reveals: 'person' });
  expect(answer.status).toBe(200);
  return holdView.parse(JSON.parse(answer.body));
}

describe('a standing hold', () => {
  it.each(['userId', 'email'] as const)('by %s catches open requests and later ones', async (kind) => {
    const person = somebody();
    const { id: open } = await submit(person, 'gdpr');
    const stranger = await submit(somebody(), 'gdpr');
    const { id: holdId, subject } = await hold({ [kind]: person[kind] });
    expect(subject.kind).toBe(kind === 'email' ? 'email' : 'user_id');
    const later = await submit({ [kind]: person[kind] });
    expect(later).toMatchObject({ ...HELD, hold: { by: 'standing_hold', from: 'discovering' } });
    expect(await show(open)).toMatchObject({
      ...HELD,
      hold: { by: 'standing_hold', from: 'awaiting_identity' },
    });
    expect((await show(stranger.id)).state).toBe('awaiting_identity');
    await does(later.id, null);

    await release(holdId);
    expect(await show(open)).toMatchObject({ state: 'awaiting_identity', hold: null });
    await does(later.id, 'discover', 'submit');
    expect(asked(person.userId)).toBe(1);
    for (const id of [open, later.id]) await trailOf(id);
  });

  it('on a user id that a search by e-mail address finds wins at the moment of submission', async () => {
    const { userId, email } = somebody();
    await hold({ userId });
    const { id, state } = await submit({ email });
    expect(state).toBe('discovering');
    await does(id, 'discover', 'submit', null);
    expect(await show(id)).toMatchObject({ ...HELD, hold: { by: 'standing_hold', from: 'erasing' } });
    expect(asked(userId)).toBe(0);
    const types = await trailOf(id);
    expect(types.at(-1)).toBe('request.on_hold');
    expect(types).not.toContain('task.submission_intended');
  });

  it('calls back what is scheduled for its subject', async () => {
    const person = somebody();
    const { id } = await submit({ userId: person.userId });
    await does(id, 'discover', 'submit');
    const { id: holdId } = await hold({ userId: person.userId });
    await does(id, 'cancel', null);
    stage.sandbox.runAllJobs();
    expect(stage.sandbox.sessionCount(PROJECT, person.userId)).toBe(3);
    await release(holdId);
    await does(id, 'submit');
    expect(asked(person.userId)).toBe(2);
    await trailOf(id);
  });

  it('keeps a request for as long as one of several stands, and longer than a person releases it', async () => {
    const { userId, email } = somebody();
    const { id } = await submit({ userId, email }, 'gdpr');
    const [first, second] = [await hold({ userId }), await hold({ email })];
    expect(codeOf(await decide(id, 'release'))).toBe('409 HOLD_STANDS');
    await release(first.id);
    expect(await show(id)).toMatchObject(HELD);
    await release(second.id);
    expect((await show(id)).state).toBe('awaiting_identity');
    await trailOf(id);
  });

  it('that is released leaves on hold what a person holds, too', async () => {
    const { userId } = somebody();
    const { id } = await submit({ userId }, 'gdpr');
    const { id: holdId } = await hold({ userId });
    const confirmed = viewIn(await decide(id, 'hold'));
    expect(confirmed).toMatchObject({ ...HELD, hold: { by: 'person', from: 'awaiting_identity' } });
    await release(holdId);
    expect(await show(id)).toMatchObject(HELD);
    expect(viewIn(await decide(id, 'release')).state).toBe('awaiting_identity');
    expect(await trailOf(id)).toContain('request.hold_confirmed');
  });

  it('is listed with its reason, and released once', async () => {
    const gone = await hold({ email: somebody().email });
    const stands = await hold({ userId: somebody().userId });
    expect(stands).toMatchObject({ reason: WORDS, releasedBy: null, releasedAt: null, releaseReason: null });
    const released = await release(gone.id);
    expect(released).toMatchObject({ id: gone.id, releaseReason: 'settled', releasedAt: expect.any(String) });
    expect(await release(gone.id)).toEqual(released);
    const list = async (query: string) => {
      const { body } = await api.call(`GET /v1/holds?${query}`, { reveals: 'person' });
      return holdPage.parse(JSON.parse(body));
    };
    const { items, nextCursor } = await list('limit=2');
    expect(items).toEqual([stands, released]);
    expect((await list(`limit=1&cursor=${nextCursor ?? ''}`)).items[0]?.id).not.toBe(gone.id);
    const standing = await list('standing=true');
    expect(standing.items.map(({ id }) => id)).toContain(stands.id);
    expect(standing.items.map(({ id }) => id)).not.toContain(gone.id);
  });
});

describe('no hold', () => {
  it.each(['hold', 'release'])('is changed on a closed request: %s', async (command) => {
    const { id } = await submit(somebody());
    await api.call(`POST ${REQUESTS}/${id}/cancel`);
    const events = await stage.trail(id);
    expect(codeOf(await decide(id, command))).toBe('409 REQUEST_STATE_FORBIDS');
    expect(await stage.trail(id)).toEqual(events);
  });

  it('is put on who asks for access alone', async () => {
    const json = { type: 'access', subject: { userId: somebody().userId } };
    const { id } = viewIn(await api.call(`POST ${REQUESTS}`, { json }));
    expect(codeOf(await decide(id, 'hold'))).toBe('409 NOTHING_TO_HOLD');
  });

  it('is put or released without the scope', async () => {
    const { id } = await submit(somebody());
    const [first, ...others] = SCOPES.filter((scope) => scope !== 'holds:write' && scope !== 'admin');
    if (first === undefined) throw new Error('there are no other scopes');
    const key = await api.addKey(first, ...others);
    const json = { reason: 'x' };
    const calls: readonly (readonly [string, Call])[] = [
      ['POST /v1/holds', { key, json: { subject: { userId: 'x' }, ...json } }],
      ['GET /v1/holds', { key }],
      [`POST /v1/holds/${NO_HOLD}/release`, { key, json }],
      [`POST ${REQUESTS}/${id}/hold`, { key, json }],
      [`POST ${REQUESTS}/${id}/release`, { key, json }],
    ];
    for (const [target, call] of calls)
      expect(codeOf(await api.call(target, call))).toBe('403 SCOPE_MISSING');
    const just = await api.addKey('holds:write');
    expect((await api.call(`POST ${REQUESTS}/${id}/hold`, { key: just, json })).status).toBe(200);
    expect(codeOf(await api.call(`POST /v1/holds/${NO_HOLD}/release`, { json }))).toBe('404 HOLD_NOT_FOUND');
  });

  it.each<[unknown, string[]]>([
    [{ subject: { userId: PERSON } }, ['/reason']],
    [{ subject: { userId: PERSON, email: PERSON }, reason: 'x' }, ['/subject']],
    [{ subject: {}, reason: 'x' }, ['/subject']],
    [{ subject: { email: 'jane.roe' }, reason: 'x' }, ['/subject/email']],
    [{ subject: { name: PERSON }, reason: 7 }, ['/reason', '/subject/name']],
    [PERSON, ['']],
  ])('is put with mistakes, each of which is named, %#', async (json, places) => {
    const answer = await api.call('POST /v1/holds', { json });
    expect([codeOf(answer), ...placesIn(answer).toSorted()]).toEqual(['422 COMMAND_INVALID', ...places]);
  });
});
