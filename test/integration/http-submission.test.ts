import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { openApi, PERSON, placesIn, problemIn, viewIn, type Answer, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

/** Submissions over real HTTP: nobody carries them out here, and each answer is checked against docs/openapi.yaml. */
const [backend] = queueBackends();
const REQUESTS = '/v1/erasure-requests';

let stage: Stage;
let api: Api;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const submit = (json: unknown, headers: Record<string, string> = {}) =>
  api.call(`POST ${REQUESTS}`, { json, headers });
const body = (name: string) => ({ subject: { userId: `${name} ${PERSON}` } });

const counts = z.tuple([z.object({ found: z.number() })]);
async function count(sql: string, ...values: unknown[]): Promise<number> {
  const { rows } = await stage.database.pool.query(`SELECT count(*)::int AS found FROM ${sql}`, values);
  return counts.parse(rows)[0].found;
}
const requestCount = () => count('erasure_requests');

/** The user id that is sealed in the database. */
async function sealedUserId(requestId: string): Promise<string | undefined> {
  const scope = await stage.deps.store.findScope(requestId);
  if (scope?.subjectSealed == null) throw new Error('there is no such subject');
  return stage.deps.vault.boxOf(scope.dataKey).openSubject(requestId, scope.subjectSealed).userId;
}

describe('a submission', () => {
  it('needs nothing but a user id', async () => {
    const answer = await submit(body('plain'));
    const view = viewIn(answer);
    expect(answer.status).toBe(201);
    expect(answer.headers['location']).toBe(`${REQUESTS}/${view.id}`);
    expect(view).toEqual({
      id: view.id,
      type: 'erasure',
      state: 'discovering',
      attention: null,
      outcome: null,
      hold: null,
      regulation: 'gdpr',
      channel: 'api',
      connection: 'default',
      projectKeys: null,
      reference: null,
      subject: { ref: expect.any(String), kind: 'user_id', keyVersion: 1, state: 'kept', destroyedAt: null },
      receivedAt: view.createdAt,
      createdAt: view.createdAt,
      updatedAt: view.createdAt,
      completedAt: null,
      cancelRequestedAt: null,
      identity: { required: false, verifiedAt: null },
      approvals: { needed: 0, given: 0 },
      coolingOffUntil: null,
      expectedTasks: null,
      clock: expect.objectContaining({ receivedOn: view.createdAt.slice(0, 10), extendedAt: null }),
      accessPackage: null,
      related: [],
      ticket: null,
      replies: null,
      waiting: {
        reason: 'queued',
        actsNext: 'lethe',
        explanation: expect.any(String),
        until: view.createdAt,
      },
      forecast: { expectedAt: expect.any(String), confidence: 'assumed', words: expect.any(String) },
      tasks: [],
    });
    expect(await count('work WHERE request_id = $1', view.id)).toBe(1);
  });

  it('takes the type that it is of, and knows no other', async () => {
    const json = (type: string) => ({ ...body(`type-${type}`), type });
    expect(viewIn(await submit(json('access')))).toMatchObject({
      type: 'access',
      state: 'awaiting_identity',
      forecast: null,
    });
    const refused = await submit(json('portability'));
    expect([refused.status, placesIn(refused)]).toEqual([422, ['/type']]);
  });

  it('takes every field', async () => {
    const answer = await submit({
      ...body('full'),
      projectKeys: [PROJECT, OTHER_PROJECT, PROJECT],
      connection: 'default',
      regulation: 'ccpa',
      receivedAt: '2026-03-01T09:30:00.25+01:00',
      reference: 'TICKET-1 – 😀',
      note: `called by ${PERSON}\nat noon`,
    });
    expect(viewIn(answer)).toMatchObject({
      projectKeys: [PROJECT, OTHER_PROJECT],
      connection: 'default',
      regulation: 'ccpa',
      receivedAt: '2026-03-01T08:30:00.250Z',
      reference: 'TICKET-1 – 😀',
    });
  });

  it('is shown where Location says, just as it was answered', async () => {
    const answer = await submit({ ...body('shown'), reference: 'R' });
    const shown = await api.call(`GET ${answer.headers['location']}`);
    expect(shown.status).toBe(200);
    expect(shown.body).toBe(answer.body);
  });

  it('stands in its trail with the API key that sent it', async () => {
    const key = await api.addKey('requests:write');
    const { headers } = await api.call(`POST ${REQUESTS}`, { json: body('actor'), key });
    const trail = await api.call(`GET ${headers['location']}/events`);
    expect(JSON.parse(trail.body)).toMatchObject({
      events: [
        { seq: 0, type: 'request.received', actor: `api_key:${key.id}` },
        { seq: 1, type: 'request.discovering' },
      ],
      nextAfter: null,
    });
  });

  it.each([` ${PERSON} `, `İ${PERSON}`, `e\u0301 ${PERSON}`, `😀${PERSON}%2e`, `\u0130\\"${PERSON}`])(
    'keeps the user id exactly: %j',
    async (userId) => {
      const view = viewIn(await submit({ subject: { userId } }));
      expect(view.state).toBe('discovering');
      expect(await sealedUserId(view.id)).toBe(userId);
    },
  );

  it('gives the same person the same pseudonym, and anybody else another', async () => {
    const refs: string[] = [];
    for (const userId of [PERSON, PERSON, `${PERSON} `, PERSON.toUpperCase()]) {
      refs.push(viewIn(await submit({ subject: { userId } })).subject.ref);
    }
    expect(refs[0]).toBe(refs[1]);
    expect(new Set(refs).size).toBe(3);
  });

  it('may be just as large as a body may be', async () => {
    const json = JSON.stringify(body('large'));
    const answer = await api.call(`POST ${REQUESTS}`, {
      body: json.padEnd(65_536, ' '),
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(201);
  });

  it('may be sent in chunks', async () => {
    const answer = await api.call(`POST ${REQUESTS}`, { json: body('chunked'), chunked: true });
    expect(answer.status).toBe(201);
  });

  it.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'may be of the type %s',
    async (type) => {
      expect((await submit(body('type'), { 'content-type': type })).status).toBe(201);
    },
  );
});

describe('a user id that can never be sent', () => {
  it.each([
    ['empty', ''],
    ['too_long', PERSON.repeat(15)],
    ['too_long', 'é'.repeat(129)],
    ['slash', `../${PERSON}`],
    ['control_character', `${PERSON}\u0000`],
    ['control_character', `${PERSON}\n`],
    ['dot_segment', '..'],
    ['lone_surrogate', `${PERSON}\ud800`],
  ])('is taken in and handed to a person: %s', async (reason, userId) => {
    const answer = await submit({ subject: { userId } });
    const view = viewIn(answer);
    expect(answer.status).toBe(201);
    expect(view).toMatchObject({
      state: 'needs_attention',
      attention: 'unroutable',
      waiting: { reason: 'unroutable', actsNext: 'privacy_team', until: null },
      tasks: [{ state: 'unroutable', attention: 'unroutable', projectKey: null, unroutable: { reason } }],
    });
    expect((await api.call(`GET ${answer.headers['location']}`)).body).toBe(answer.body);
    expect(await sealedUserId(view.id)).toBe(userId);
    expect(await count('work WHERE request_id = $1', view.id)).toBe(0);
  });

  it('has a task for each project that was named', async () => {
    const answer = await submit({ subject: { userId: '.' }, projectKeys: [PROJECT, OTHER_PROJECT] });
    expect((await api.call(`GET ${answer.headers['location']}`)).body).toBe(answer.body);
    expect(viewIn(answer).tasks.map((task) => [task.projectKey, task.state])).toEqual([
      [PROJECT, 'unroutable'],
      [OTHER_PROJECT, 'unroutable'],
    ]);
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (name: string, json: unknown) => submit(json, { 'idempotency-key': name });

  it('gets the first answer again, byte for byte, whatever has become of the request', async () => {
    const first = await keyed('again', body('again'));
    await api.call(`POST ${first.headers['location']}/cancel`);
    const before = await requestCount();
    const second = await keyed('again', body('again'));
    expect(second.status).toBe(201);
    expect(second.body).toBe(first.body);
    expect(second.headers['location']).toBe(first.headers['location']);
    expect(viewIn(second).state).toBe('discovering');
    expect(await requestCount()).toBe(before);
    expect(await count('idempotency_keys WHERE key = $1', 'again')).toBe(1);
  });

  it('is refused with any other body, and nothing is stored', async () => {
    const full = { ...body('other'), projectKeys: [PROJECT], regulation: 'gdpr', reference: 'R', note: 'N' };
    const first = await keyed('other', full);
    const before = await requestCount();
    for (const change of [
      body('another'),
      { projectKeys: [OTHER_PROJECT] },
      { projectKeys: [PROJECT, OTHER_PROJECT] },
      { regulation: 'ccpa' },
      { reference: 'r' },
      { note: 'n' },
      { receivedAt: '2026-03-01T09:30:00Z' },
    ]) {
      const answer = await keyed('other', { ...full, ...change });
      expect([answer.status, problemIn(answer).code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    }
    expect(await requestCount()).toBe(before);
    expect((await keyed('other', full)).body).toBe(first.body);
  });

  it('makes one request of 20 at the same time, which all get its answer', async () => {
    const before = await requestCount();
    const answers = await together(20, () => keyed('together', body('together')));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]));
    expect(new Set(answers.map((answer) => answer.body)).size).toBe(1);
    expect(new Set(answers.map((answer) => answer.headers['location'])).size).toBe(1);
    expect(await requestCount()).toBe(before + 1);
    expect(await count('audit_events WHERE request_id = $1', idIn(answers[0]))).toBe(2);
  });

  it('belongs to one body of two that come at the same time', async () => {
    const before = await requestCount();
    const names = ['this', 'that'] as const;
    const answers = await together(20, async (index) => {
      const name = names[index % 2] ?? '';
      return { name, answer: await keyed('race', body(name)) };
    });
    const taken = answers.filter(({ answer }) => answer.status === 201);
    expect(taken).toHaveLength(10);
    expect(new Set(taken.map(({ name }) => name)).size).toBe(1);
    expect(new Set(taken.map(({ answer }) => answer.body)).size).toBe(1);
    const refused = answers.filter(({ answer }) => answer.status === 422);
    expect(refused.map(({ answer }) => problemIn(answer).code)).toEqual(
      Array<string>(10).fill('IDEMPOTENCY_KEY_REUSED'),
    );
    expect(await requestCount()).toBe(before + 1);
  });

  it('does not meet the same key of another API key', async () => {
    const [one, other] = [await api.addKey('requests:write'), await api.addKey('requests:write')];
    const send = (key: typeof one, name: string) =>
      api.call(`POST ${REQUESTS}`, { key, json: body(name), headers: { 'idempotency-key': 'shared' } });
    const [first, second, different] = [
      await send(one, 'x'),
      await send(other, 'x'),
      await send(await api.addKey('admin'), 'y'),
    ];
    expect(new Set([first, second, different].map(idIn)).size).toBe(3);
    expect((await send(one, 'x')).body).toBe(first.body);
    expect((await send(other, 'x')).body).toBe(second.body);
  });

  it('is not used up by a submission that was refused', async () => {
    const early = { ...body('early'), receivedAt: '2999-01-01T00:00:00Z' };
    const refused = await keyed('early', early);
    expect([refused.status, placesIn(refused)]).toEqual([422, ['/receivedAt']]);
    expect((await keyed('early', body('early'))).status).toBe(201);
  });

  it.each(['~'.repeat(255), 'with space', '"quoted"', 'a, b'])('may be %j', async (key) => {
    const first = await keyed(key, body('any'));
    expect(first.status).toBe(201);
    expect((await keyed(key, body('any'))).body).toBe(first.body);
  });

  it('left out, makes each submission one of its own', async () => {
    const ids = await together(5, async () => idIn(await submit(body('each'))));
    expect(new Set(ids).size).toBe(5);
  });
});

function together<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

function idIn(answer: Answer | undefined): string {
  if (answer === undefined) throw new Error('there is no answer');
  return viewIn(answer).id;
}
