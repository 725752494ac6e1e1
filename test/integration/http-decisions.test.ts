import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { SCOPES } from '../../src/app/authenticate.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import {
  openApi,
  PERSON,
  placesIn,
  problemIn,
  viewIn,
  type Answer,
  type Api,
  type TestKey,
} from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';
import { createStepRunner, doNext, type StepRunner } from '../support/worker-steps.ts';

/** What people decide about a request, over real HTTP; the steps of workers are taken by hand. */
const [backend] = queueBackends();
const REQUESTS = '/v1/erasure-requests';
const UNKNOWN = `er_${'0'.repeat(32)}`;
/** Only those who decide may read it: no event and no answer of a decision may hold it. */
const WORDS = `because of ${PERSON}`;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

let stage: Stage;
let api: Api;
let steps: StepRunner;
let submitter: TestKey;
let one: TestKey;
let other: TestKey;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({
    backend,
    withoutWorker: true,
    rules: [
      { regulations: ['gdpr'], identity: 'required', approval: 'two' },
      { regulations: ['uk_gdpr'], approval: 'one', coolingOffMinutes: 30 },
    ],
  });
  steps = createStepRunner(stage.deps);
  api = await openApi(stage);
  submitter = await api.addKey('requests:write', 'requests:approve');
  one = await api.addKey('requests:approve');
  other = await api.addKey('requests:approve');
});
afterAll(async () => {
  await steps.close();
  await api.close();
  await stage.close();
});

let people = 0;
/** A request of somebody new; `ccpa` has no gate, `uk_gdpr` an approval and cooling off, `gdpr` identity and two approvals. */
async function submit(changes: object = {}): Promise<RequestView> {
  people += 1;
  const json = { subject: { userId: `${PERSON} ${people}` }, projectKeys: [PROJECT], ...changes };
  return viewIn(await api.call(`POST ${REQUESTS}`, { json, key: submitter }));
}
/** By `one`, unless another key is named. */
const decide = (
  id: string,
  command: string,
  { json = {}, key = one }: { json?: object; key?: TestKey } = {},
) => api.call(`POST ${REQUESTS}/${id}/${command}`, { json, key });
const show = async (id: string) => viewIn(await api.call(`GET ${REQUESTS}/${id}`));
const codeOf = (answer: Answer) => `${answer.status} ${problemIn(answer).code}`;

/** The events of a request whose trail is as it has to be. */
async function trailOf(id: string): Promise<readonly string[]> {
  const events = await stage.trail(id);
  checkTrail(await show(id), events);
  expect(JSON.stringify(events)).not.toContain(PERSON);
  return events.map(({ type }) => type);
}

const decisions = z.object({ items: z.array(z.looseObject({})) });
async function decisionsOf(id: string) {
  const answer = await api.call(`GET ${REQUESTS}/${id}/decisions`, { reveals: 'person' });
  return decisions.parse(JSON.parse(answer.body)).items;
}

/** Nothing was done: not even an event. */
async function refusal(id: string, call: () => Promise<Answer>): Promise<Answer> {
  const [view, events] = [await show(id), await stage.trail(id)];
  const answer = await call();
  expect(await show(id)).toEqual(view);
  expect(await stage.trail(id)).toEqual(events);
  return answer;
}

/** A request that needs a person for one task while another one is still to be done. */
async function halfRoutable(): Promise<string> {
  people += 1;
  const email = `r${people}.${PERSON}`;
  stage.sandbox.addUser({ projectKey: PROJECT, userId: `user ${people}`, email, sessions: 1 });
  stage.sandbox.addUser({ projectKey: OTHER_PROJECT, userId: '..', email, sessions: 1 });
  const { id } = await submit({
    subject: { email },
    projectKeys: [PROJECT, OTHER_PROJECT],
    regulation: 'ccpa',
  });
  expect(await doNext(stage, steps, id)).toBe('discover');
  expect(await show(id)).toMatchObject({ state: 'needs_attention', attention: 'tasks_need_attention' });
  return id;
}

describe('the gates', () => {
  it('are passed one after the other, each by whom it asks for, and each is on record', async () => {
    const received = await submit();
    const { id } = received;
    expect(received).toMatchObject({
      state: 'awaiting_identity',
      identity: { required: true, verifiedAt: null },
      approvals: { needed: 2, given: 0 },
      waiting: { reason: 'awaiting_identity', actsNext: 'privacy_team', until: null },
    });
    const verified = await decide(id, 'verify-identity', { json: { method: 'document', note: WORDS } });
    expect(viewIn(verified)).toMatchObject({
      state: 'awaiting_approval',
      identity: { required: true, verifiedAt: expect.any(String) },
      waiting: { reason: 'awaiting_approval', actsNext: 'privacy_team' },
    });
    expect((await decide(id, 'verify-identity', { json: { method: 'phone' }, key: other })).body).toBe(
      verified.body,
    );

    const own = await refusal(id, () => decide(id, 'approve', { key: submitter }));
    expect(codeOf(own)).toBe('409 APPROVER_IS_SUBMITTER');
    const first = await decide(id, 'approve', { json: { note: WORDS } });
    expect(viewIn(first)).toMatchObject({ state: 'awaiting_approval', approvals: { needed: 2, given: 1 } });
    expect((await decide(id, 'approve')).body).toBe(first.body);
    const second = viewIn(await decide(id, 'approve', { key: other }));
    expect(second).toMatchObject({
      state: 'discovering',
      approvals: { needed: 2, given: 2 },
      waiting: { reason: 'queued', actsNext: 'lethe' },
    });

    expect(await trailOf(id)).toEqual([
      'request.received',
      'request.awaiting_identity',
      'request.identity_verified',
      'request.awaiting_approval',
      'request.approved',
      'request.approved',
      'request.discovering',
    ]);
    expect(await decisionsOf(id)).toMatchObject([
      { kind: 'identity_verified', ground: 'document', text: WORDS, decidedBy: one.id },
      { kind: 'approved', ground: null, text: WORDS, decidedBy: one.id },
      { kind: 'approved', ground: null, text: null, decidedBy: other.id },
    ]);
  });

  it('let an approved request cool off, which then goes on by itself', async () => {
    const { id } = await submit({ regulation: 'uk_gdpr' });
    const view = viewIn(await decide(id, 'approve'));
    expect(view).toMatchObject({
      state: 'cooling_off',
      waiting: { reason: 'cooling_off', actsNext: 'lethe' },
    });
    const until = Date.parse(view.coolingOffUntil ?? '');
    expect(until - Date.parse(view.updatedAt)).toBe(30 * MINUTE_MS);
    expect(Date.parse(view.waiting?.until ?? '')).toBe(until);
    expect(await doNext(stage, steps, id)).toBe('discover');
    expect(await show(id)).toMatchObject({ state: 'erasing', coolingOffUntil: view.coolingOffUntil });
  });

  it('are each request\u2019s own: another one for the same subject is shown, and passes none', async () => {
    const subject = { userId: `${PERSON} twice` };
    const { id: first } = await submit({ subject });
    const second = await submit({ subject, regulation: 'uk_gdpr' });
    const { id: third } = await submit({ subject, regulation: 'ccpa' });
    expect(second.related).toEqual([first]);
    expect((await show(second.id)).related.toSorted()).toEqual([first, third].toSorted());
    await decide(second.id, 'approve');
    expect((await show(first)).state).toBe('awaiting_identity');
    await api.call(`POST ${REQUESTS}/${third}/cancel`);
    expect((await show(second.id)).related).toEqual([first]);
    expect((await show(third)).related).not.toContain(third);
  });
});

describe('a refusal', () => {
  it.each([
    ['at its gate', () => undefined],
    ['on hold', (id: string) => api.call(`POST ${REQUESTS}/${id}/hold`, { json: { reason: 'x' } })],
    ['at its second gate', (id: string) => decide(id, 'verify-identity', { json: { method: 'other' } })],
  ])(
    'ends a request %s, on a ground of the law and in words that stand in no event',
    async (_where, before) => {
      const { id } = await submit();
      await before(id);
      const view = viewIn(await decide(id, 'refuse', { json: { ground: 'legal_obligation', text: WORDS } }));
      expect(view).toMatchObject({ state: 'refused', hold: null, waiting: null, forecast: null });
      expect(view.clock?.daysLeft).toBeNull();
      expect((await trailOf(id)).at(-1)).toBe('request.refused');
      const event = (await stage.trail(id)).at(-1);
      expect(event?.data).toMatchObject({ ground: 'legal_obligation' });
      expect((await decisionsOf(id)).at(-1)).toMatchObject({ kind: 'refused', text: WORDS });
      expect(await doNext(stage, steps, id)).toBeUndefined();
    },
  );

  it('comes too late once something was submitted', async () => {
    const { id } = await submit({ regulation: 'ccpa' });
    for (const kind of ['discover', 'submit']) expect(await doNext(stage, steps, id)).toBe(kind);
    const answer = await refusal(id, () =>
      decide(id, 'refuse', { json: { ground: 'excessive', text: WORDS } }),
    );
    expect(codeOf(answer)).toBe('409 REQUEST_STATE_FORBIDS');
  });
});

describe('an extension', () => {
  it('moves the due date, once', async () => {
    const { id, clock } = await submit();
    const view = viewIn(await decide(id, 'extend', { json: { reason: WORDS } }));
    expect(view.clock).toMatchObject({
      dueOn: clock?.extendedDueOn,
      extendedDueOn: clock?.extendedDueOn,
      extendedAt: expect.any(String),
      explanation: clock?.explanation,
    });
    expect(view.clock?.daysLeft).toBeGreaterThan(clock?.daysLeft ?? Infinity);
    const event = (await stage.trail(id)).at(-1);
    expect(event).toMatchObject({
      type: 'request.extended',
      data: { due_on: clock?.dueOn, extended_due_on: clock?.extendedDueOn },
    });
    const again = await refusal(id, () => decide(id, 'extend', { json: { reason: 'more' } }));
    expect(codeOf(again)).toBe('409 EXTENSION_REFUSED');
    await trailOf(id);
  });

  it('has to be said within the first part of the period', async () => {
    const receivedAt = new Date(Date.now() - 45 * DAY_MS).toISOString();
    const { id, clock } = await submit({ receivedAt });
    const late = await refusal(id, () => decide(id, 'extend', { json: { reason: 'late' } }));
    expect(codeOf(late)).toBe('409 EXTENSION_REFUSED');
    expect(problemIn(late).detail).toContain(clock?.extendBy);
  });
});

describe('what needs a person', () => {
  it('is looked for again with the number that is right', async () => {
    const email = `r.${PERSON}`;
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'mistaken', email, sessions: 1 });
    const { id } = await submit({ subject: { email }, expect: { tasks: 2 }, regulation: 'ccpa' });
    await doNext(stage, steps, id);
    expect(await show(id)).toMatchObject({
      attention: 'unexpected_matches',
      waiting: { reason: 'unexpected_matches', actsNext: 'privacy_team' },
    });
    const again = viewIn(await decide(id, 'retry', { json: { reason: WORDS, expect: { tasks: 1 } } }));
    expect(again).toMatchObject({ state: 'discovering', attention: null, expectedTasks: 1 });
    await doNext(stage, steps, id);
    expect(await show(id)).toMatchObject({ state: 'erasing', tasks: [{ state: 'pending' }] });
    expect(await decisionsOf(id)).toMatchObject([{ kind: 'retried', text: WORDS, decidedBy: one.id }]);
    await trailOf(id);
  });

  it('is closed by decision once nothing is under way, and what was left is kept', async () => {
    const id = await halfRoutable();
    const early = await refusal(id, () => decide(id, 'close', { json: { reason: WORDS } }));
    expect(codeOf(early)).toBe('409 TASKS_UNDER_WAY');
    const again = await refusal(id, () => decide(id, 'retry'));
    expect(codeOf(again)).toBe('409 NOTHING_TO_RETRY');
    await doNext(stage, steps, id);
    stage.sandbox.runAllJobs();
    for (let kind = await doNext(stage, steps, id); kind !== undefined;)
      kind = await doNext(stage, steps, id);
    const view = viewIn(await decide(id, 'close', { json: { reason: WORDS } }));
    expect(view).toMatchObject({ state: 'completed', outcome: 'closed_by_decision', waiting: null });
    expect(view.tasks.map(({ state }) => state).toSorted()).toEqual(['erased', 'unroutable']);
    expect((await decisionsOf(id)).at(-1)).toMatchObject({ kind: 'closed', text: WORDS, decidedBy: one.id });
    const event = (await stage.trail(id)).at(-1);
    expect(event?.data).toMatchObject({ outcome: 'closed_by_decision', reason: 'tasks_need_attention' });
    await trailOf(id);
  });
});

const BODIES = {
  'verify-identity': { method: 'document' },
  approve: {},
  refuse: { ground: 'excessive', text: 'x' },
  extend: { reason: 'x' },
  retry: {},
  close: { reason: 'x' },
};
const COMMANDS = Object.entries(BODIES);

describe('no decision', () => {
  it.each(COMMANDS)('is taken about a closed request: %s', async (command, json) => {
    const { id } = await submit();
    await api.call(`POST ${REQUESTS}/${id}/cancel`);
    const answer = await refusal(id, () => decide(id, command, { json }));
    expect(codeOf(answer)).toBe('409 REQUEST_STATE_FORBIDS');
    expect(problemIn(answer).detail).toContain('cancelled');
  });

  it.each(COMMANDS.filter(([command]) => command !== 'refuse' && command !== 'extend'))(
    'is taken where none is called for: %s',
    async (command, json) => {
      const { id } = await submit({ regulation: 'ccpa' });
      const answer = await refusal(id, () => decide(id, command, { json }));
      expect(codeOf(answer)).toBe('409 REQUEST_STATE_FORBIDS');
    },
  );

  it.each(COMMANDS)('is taken without the scope, or about nothing: %s', async (command, json) => {
    const { id } = await submit();
    const [first, ...others] = SCOPES.filter((scope) => scope !== 'requests:approve' && scope !== 'admin');
    if (first === undefined) throw new Error('there are no other scopes');
    const key = await api.addKey(first, ...others);
    const answer = await refusal(id, () => decide(id, command, { json, key }));
    expect(codeOf(answer)).toBe('403 SCOPE_MISSING');
    expect(codeOf(await decide(UNKNOWN, command, { json }))).toBe('404 REQUEST_NOT_FOUND');
  });

  it.each<[string, unknown, string[]]>([
    ['verify-identity', {}, ['/method']],
    ['verify-identity', { method: PERSON, note: 7 }, ['/method', '/note']],
    ['approve', { note: '' }, ['/note']],
    ['approve', { reason: PERSON }, ['/reason']],
    ['refuse', { ground: 'legal_claims' }, ['/text']],
    ['refuse', { ground: PERSON, text: PERSON.padEnd(4001, '.') }, ['/ground', '/text']],
    ['extend', {}, ['/reason']],
    ['extend', { reason: null }, ['/reason']],
    ['retry', { expect: { tasks: -1 }, acceptIncomplete: 'yes' }, ['/acceptIncomplete', '/expect/tasks']],
    ['retry', { expect: {} }, ['/expect/tasks']],
    ['close', [], ['']],
    ['close', { reason: '' }, ['/reason']],
  ])('is taken with mistakes, each of which is named: %s, %#', async (command, json, places) => {
    const { id } = await submit();
    const target = `POST ${REQUESTS}/${id}/${command}`;
    const answer = await refusal(id, () => api.call(target, { json, key: one }));
    expect([codeOf(answer), ...placesIn(answer).toSorted()]).toEqual(['422 COMMAND_INVALID', ...places]);
  });
});
