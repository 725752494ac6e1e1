import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createApiKey } from '../../src/app/create-api-key.ts';
import type { PreviewView } from '../../src/app/preview-schema.ts';
import { previewSubject } from '../../src/app/preview-subject.ts';
import type { CallFault } from '../../src/sandbox/faults.ts';
import type { OperationId } from '../../src/sandbox/options.ts';
import { openApi, PERSON, placesIn, problemIn, viewIn, type Answer, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

/** What a request would find, over real HTTP. Answers are checked against docs/openapi.yaml, and name nobody. */
const PREVIEW = 'POST /v1/erasure-requests/preview';
const [backend] = queueBackends();
const HOUR_MS = 3_600_000;

let stage: Stage;
let api: Api;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true, gate: false, sandbox: { edition: 'enterprise' } });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const previewed = z.custom<PreviewView>();
async function preview(json: object): Promise<PreviewView> {
  const answer = await api.call(PREVIEW, { json });
  if (answer.status !== 200) throw new Error(answer.body);
  return previewed.parse(JSON.parse(answer.body));
}

function refOf(userId: string): string {
  return stage.deps.vault.subjectRefs({ userId })[0]?.value ?? '';
}

async function count(from: string): Promise<number> {
  const { rows } = await stage.database.pool.query(`SELECT count(*)::int AS n FROM ${from}`);
  return z.tuple([z.object({ n: z.number() })]).parse(rows)[0].n;
}

const adminEvents = z.object({ events: z.array(z.looseObject({ type: z.string(), actor: z.string() })) });
async function lastAdminEvent() {
  const { body } = await api.call('GET /v1/admin-events?limit=200');
  return adminEvents.parse(JSON.parse(body)).events.at(-1);
}

describe('a preview', () => {
  /** Nothing is taken in and nobody is deleted, whatever a preview says. */
  afterEach(async () => {
    expect(await count('erasure_requests')).toBe(0);
    expect(await count('work')).toBe(0);
    expect(stage.sandbox.deletionsAsked).toEqual([]);
  });

  it('of a user id says in which projects it is, how much there is, and since when', async () => {
    const userId = `${PERSON} by id`;
    const now = Date.now();
    const starts = [now - 9 * HOUR_MS, now - 300 * HOUR_MS, now - 2 * HOUR_MS];
    stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 0, live: 1 });
    for (const startTs of starts) stage.sandbox.addSession({ projectKey: PROJECT, userId, startTs });
    stage.sandbox.addUser({ projectKey: OTHER_PROJECT, userId: `${userId}!`, sessions: 1 });
    expect(await preview({ subject: { userId } })).toEqual({
      subject: [{ ref: refOf(userId), kind: 'user_id', keyVersion: 1 }],
      found: 1,
      attention: null,
      explanation: null,
      users: [
        {
          connection: 'default',
          projectKey: PROJECT,
          userRef: refOf(userId),
          unroutable: null,
          sessions: 3,
          firstSeen: new Date(now - 300 * HOUR_MS).toISOString(),
          lastSeen: new Date(now - 2 * HOUR_MS).toISOString(),
          live: 'live',
        },
      ],
      searched: [
        { connection: 'default', projectKey: PROJECT, found: 1, byEmail: null },
        { connection: 'default', projectKey: OTHER_PROJECT, found: 0, byEmail: null },
      ],
    });
    expect(await preview({ subject: { userId }, projectKeys: [OTHER_PROJECT] })).toMatchObject({
      found: 0,
      users: [],
      searched: [{ projectKey: OTHER_PROJECT, found: 0 }],
    });
  });

  it('of an address shows who was found by pseudonym only, and what was looked through', async () => {
    const email = `${PERSON}.mail`;
    stage.sandbox.addUser({ projectKey: PROJECT, userId: `${PERSON}-1`, email, sessions: 2 });
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'longer', email: `x${email}`, sessions: 1 });
    stage.sandbox.addUser({ projectKey: OTHER_PROJECT, userId: `${PERSON}/2`, email, sessions: 1 });
    const view = await preview({ subject: { email } });
    expect(view).toMatchObject({
      subject: [{ kind: 'email' }],
      found: 2,
      attention: null,
      users: [
        { projectKey: PROJECT, userRef: refOf(`${PERSON}-1`), sessions: 2, live: 'not_live' },
        { projectKey: OTHER_PROJECT, userRef: refOf(`${PERSON}/2`), unroutable: 'slash', sessions: null },
      ],
    });
    expect(view.searched).toEqual([
      {
        connection: 'default',
        projectKey: PROJECT,
        found: 1,
        byEmail: { candidates: 2, unconfirmed: 0, matches: 1 },
      },
      {
        connection: 'default',
        projectKey: OTHER_PROJECT,
        found: 1,
        byEmail: { candidates: 1, unconfirmed: 0, matches: 1 },
      },
    ]);
  });

  it('of too many says so, and reads no more of them than may go without a person', async () => {
    const email = `${PERSON}.shared`;
    for (let n = 0; n < 7; n += 1)
      stage.sandbox.addUser({ projectKey: PROJECT, userId: `shared ${n}`, email, sessions: 1 });
    const read = stage.sandbox.calls.listUserSessions;
    const view = await preview({ subject: { email } });
    expect(view).toMatchObject({ found: 7, attention: 'too_many_matches' });
    expect(view.explanation).toContain('More users');
    expect(view.users).toHaveLength(stage.deps.maxMatches);
    expect(stage.sandbox.calls.listUserSessions - read).toBe(2 * stage.deps.maxMatches);
  });

  it('of an id that can never be sent asks nothing', async () => {
    const asked = { ...stage.sandbox.calls };
    expect(await preview({ subject: { userId: `../${PERSON}` } })).toMatchObject({
      found: 0,
      attention: 'unroutable',
      searched: [],
    });
    expect(stage.sandbox.calls).toEqual(asked);
  });

  it('is an event that names the key and the pseudonyms, also when nothing comes of it', async () => {
    const key = await api.addKey('requests:read');
    const subject = { userId: `${PERSON} who`, email: `${PERSON}.who` };
    stage.sandbox.script('listProjects', 'errors500');
    const answer = await api.call(PREVIEW, { key, json: { subject, projectKeys: [PROJECT] } });
    expect(answer.status).toBe(503);
    const refs = stage.deps.vault.subjectRefs(subject);
    expect(await lastAdminEvent()).toMatchObject({
      type: 'subject.previewed',
      actor: `api_key:${key.id}`,
      data: {
        subjects: refs.map(({ value, kind }) => ({ subject_ref: value, subject_kind: kind })),
        connection: 'default',
        project_keys: [PROJECT],
      },
    });
  });

  it('needs a key that may read requests', async () => {
    const json = { subject: { userId: PERSON } };
    const answer = await api.call(PREVIEW, { key: await api.addKey('requests:write'), json });
    expect([answer.status, problemIn(answer).code]).toEqual([403, 'SCOPE_MISSING']);
  });

  it.each<[string, object, string[]]>([
    ['nobody', { subject: {} }, ['/subject']],
    ['no address', { subject: { email: PERSON.replace('@', ' ') } }, ['/subject/email']],
    [
      'a connection that is not configured',
      { subject: { userId: PERSON }, connection: 'other' },
      ['/connection'],
    ],
    ['a project key of no form', { subject: { userId: PERSON }, projectKeys: ['a/b'] }, ['/projectKeys/0']],
    [
      'a project that no server lists',
      { subject: { userId: PERSON }, projectKeys: [PROJECT, 'nowhere'] },
      ['/projectKeys'],
    ],
    ['a field of a submission', { subject: { userId: PERSON }, note: 'x' }, ['/note']],
  ])('refuses %s', async (_what, json, places) => {
    const answer = await api.call(PREVIEW, { json });
    expect([answer.status, problemIn(answer).code]).toEqual([422, 'SUBMISSION_INVALID']);
    expect(placesIn(answer)).toEqual(places);
  });
});

describe('a preview that OpenReplay gives no answer for', () => {
  const subject = { userId: `${PERSON} away`, email: `${PERSON}.away` };
  beforeAll(() => {
    stage.sandbox.addUser({ ...subject, projectKey: PROJECT, sessions: 1 });
  });
  const fails = async (): Promise<Answer> => {
    const answer = await api.call(PREVIEW, { json: { subject } });
    expect([answer.status, problemIn(answer).code]).toEqual([503, 'OPENREPLAY_UNAVAILABLE']);
    expect(problemIn(answer).detail).toContain('connection default');
    return answer;
  };

  it.each<[OperationId, CallFault, string]>([
    ['listProjects', 'unauthorized', 'refuses the API key'],
    ['searchUsers', 'htmlErrors', 'answered with the status 500'],
    ['searchUsers', 'errorsIn200', 'makes no sense'],
    ['getUser', 'redirected', 'redirects'],
    ['listUserSessions', 'cutBefore', 'did not answer in time'],
    ['listLiveSessions', 'errors500', 'answered with the status 500'],
  ])('since %s went wrong (%s), says why', async (operation, fault, why) => {
    stage.sandbox.script(operation, fault);
    expect(problemIn(await fails()).detail).toContain(why);
    expect(await preview({ subject })).toMatchObject({ found: 1 });
  });

  it('since it asks for fewer calls, says how long to wait', async () => {
    stage.sandbox.faults.retryAfterSeconds = 77;
    stage.sandbox.script('searchUsers', 'rateLimited');
    expect((await fails()).headers['retry-after']).toBe('77');
  });

  it('within the time there is, ends then', async () => {
    const { id: apiKeyId } = await createApiKey(stage.deps, { name: 'x', scopes: ['admin'] }, 'local');
    stage.sandbox.script('searchUsers', 'timeouts');
    const query = { subject, apiKeyId, withinMs: 50 };
    await expect(previewSubject(stage.deps, query)).rejects.toMatchObject({ code: 'OPENREPLAY_UNAVAILABLE' });
    await expect(previewSubject(stage.deps, { ...query, withinMs: 0 })).rejects.toThrow('in time');
  });
});

it('what a preview found can be what a request expects', async () => {
  const email = `${PERSON}.then`;
  stage.sandbox.addUser({ projectKey: PROJECT, userId: `${PERSON} then`, email, sessions: 1 });
  const { found, subject } = await preview({ subject: { email } });
  const json = { subject: { email }, expect: { tasks: found } };
  const view = viewIn(await api.call('POST /v1/erasure-requests', { json }));
  expect(view).toMatchObject({ expectedTasks: 1, subject: subject[0] });
});
