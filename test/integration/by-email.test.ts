import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Submission } from '../../src/app/check-submission.ts';
import type { Connection } from '../../src/app/ports.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import { retryRequest } from '../../src/app/retry-request.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import { createOpenReplayClient, type OpenReplayClient } from '../../src/openreplay/client.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

/** Erasure by e-mail address: on servers that know only look-alikes, exactly the right users go. */
const THIRD_PROJECT = 'thirdProject00000000';
const FOREIGN_PROJECT = 'foreignProject000000';
const [backend] = queueBackends();

let stage: Stage;
/** The server of the connection `second`, whose pages of users are small. */
let second: Sandbox;
let client: OpenReplayClient;

async function open(emailLocalPart: 'exact' | 'case_insensitive'): Promise<void> {
  seen = { default: 0, second: 0 };
  if (backend === undefined) throw new Error('there is no queue');
  second = createSandbox({
    personality: 'real',
    token: 'second',
    jobDelayMs: 40,
    analyticsLagMs: 1,
    usersPerPage: 7,
  });
  second.addProject(FOREIGN_PROJECT);
  client = createOpenReplayClient({
    baseUrl: await second.start(),
    apiKey: 'second',
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 1_000,
    maxBodyBytes: 1_000_000,
    maxSockets: 10,
  });
  const connection: Connection = {
    ...{ name: 'second', projects: null, countSessionsBefore: false },
    ...{ api: client, records: client.records },
  };
  stage = await openStage({
    backend,
    sandbox: { jobDelayMs: 40, analyticsLagMs: 1 },
    pace: { verification: { settleMs: 600, retryMs: 20, requireUserAbsent: false } },
    parts: { emailLocalPart, maxMatches: 3 },
    moreConnections: [connection],
  });
  stage.sandbox.addProject(THIRD_PROJECT);
}

async function close(): Promise<void> {
  await stage.close();
  client.close();
  await second.stop();
}

function add(projectKey: string, userId: string, known: string | { email: string; name: string }): void {
  const { sandbox } = projectKey === FOREIGN_PROJECT ? { sandbox: second } : stage;
  const traits = typeof known === 'string' ? { email: known } : known;
  sandbox.addUser({ projectKey, userId, ...traits, sessions: 1 });
}

async function submit(submission: Submission): Promise<string> {
  const context = { apiKeyId: stage.apiKeyId, idempotencyKey: undefined, channel: 'api' } as const;
  return (await submitRequest(stage.deps, submission, context)).requestId;
}

/** The request once it has come to rest; its trail fits, and names nobody. */
async function settled(id: string): Promise<RequestView> {
  const view = await stage.settled(id);
  const events = await stage.trail(id);
  checkTrail(view, events);
  expect(JSON.stringify([view, events])).not.toMatch(/@|\.example/);
  return view;
}

async function carry(submission: Submission): Promise<RequestView> {
  return settled(await submit(submission));
}

async function retry(requestId: string, expectedTasks?: number): Promise<RequestView> {
  await retryRequest(stage.deps, { requestId, apiKeyId: stage.apiKeyId, expectedTasks });
  return settled(requestId);
}

/** How many deletions of each server have been looked at. */
let seen = { default: 0, second: 0 };

/** Whose deletion was asked for since the last call, in whatever order. */
function deleted(): string[] {
  const of = (sandbox: Sandbox, name: keyof typeof seen) => {
    const asked = sandbox.deletionsAsked.slice(seen[name]);
    seen[name] = sandbox.deletionsAsked.length;
    return asked.map(({ projectKey, userId }) => `${projectKey} ${userId}`);
  };
  return [...of(stage.sandbox, 'default'), ...of(second, 'second')].toSorted();
}

const ADDRESSES = [
  ['an underscore', 'a_b'],
  ['what HTML escapes', `o'hara&sons<b>"&amp;`],
  ['a percent sign', 'a%b'],
  ['a percent sign alone', '%'],
  ['a backslash before a wildcard', 'a\\%b'],
  ['more characters than a search takes', 'x'.repeat(120)],
  ['another script', 'дженни+1'],
] as const;
const LOCAL_PARTS = [
  { emailLocalPart: 'exact', addresses: ADDRESSES },
  { emailLocalPart: 'case_insensitive', addresses: ADDRESSES.slice(0, 2) },
] as const;

describe.each(LOCAL_PARTS)('with the local part $emailLocalPart:', ({ emailLocalPart, addresses }) => {
  beforeAll(() => open(emailLocalPart));
  afterAll(close);

  it.each(addresses)('takes exactly those whose address it is: %s', async (_what, local) => {
    const upper = local.toUpperCase();
    const mine: string[] = [];
    const foldedToo: string[] = [];
    for (const [index, project] of [PROJECT, OTHER_PROJECT, THIRD_PROJECT].entries()) {
      const id = (what: string) => `${what} of ${local}`;
      add(project, id(`me ${index}`), `${local}@shop.example`);
      mine.push(`${project} ${id(`me ${index}`)}`);
      if (upper !== local) {
        add(project, id('shouting'), `${upper}@shop.example`);
        foldedToo.push(`${project} ${id('shouting')}`);
      }
      // Wildcards and sub-strings find all of these, too.
      const wider = local.replaceAll('%', 'XX').replaceAll('_', 'Y').replaceAll('\\', 'Z');
      if (wider !== local) add(project, id('wild'), `${wider}@shop.example`);
      add(project, id('longer'), `a${local}@shop.example`);
      add(project, id('elsewhere'), `${local}@shop.example.org`);
      add(project, id('nameless'), { email: '', name: `${local}@shop.example` });
      add(project, `${local}@shop.example`, 'somebody.else@shop.example');
    }
    const expected = (emailLocalPart === 'exact' ? mine : [...mine, ...foldedToo]).toSorted();
    const before = stage.sandbox.userIds(PROJECT).length;

    const { id } = await carry({
      subject: { email: `${local}@SHOP.example` },
      expect: { tasks: expected.length },
    });
    expect(await stage.show(id)).toMatchObject({ state: 'completed', outcome: 'erased' });
    expect(deleted()).toEqual(expected);
    expect(before - stage.sandbox.userIds(PROJECT).length).toBe(expected.length / 3);
  });
});

describe('a search by e-mail address', () => {
  beforeAll(() => open('exact'));
  afterAll(close);

  it('looks in every connection unless one is named', async () => {
    add(OTHER_PROJECT, 'here', 'two@places.example');
    add(FOREIGN_PROJECT, 'there', 'two@places.example');
    const named = await carry({ subject: { email: 'two@places.example' }, connection: 'second' });
    expect(named.tasks.map((task) => [task.connection, task.state])).toEqual([['second', 'erased']]);
    expect(deleted()).toEqual([`${FOREIGN_PROJECT} there`]);

    add(FOREIGN_PROJECT, 'also there', 'two@places.example');
    const both = await carry({ subject: { email: 'two@places.example' } });
    expect(both.tasks.map((task) => task.connection).toSorted()).toEqual(['default', 'second']);
    expect(deleted()).toEqual([`${FOREIGN_PROJECT} also there`, `${OTHER_PROJECT} here`]);
  });

  it('reads every page, also of a server that gives fewer than were asked for', async () => {
    for (let n = 0; n < 450; n += 1) add(PROJECT, `alike ${n}`, `x${n}.many@pages.example`);
    for (let n = 0; n < 30; n += 1) add(FOREIGN_PROJECT, `alike ${n}`, `x${n}.many@pages.example`);
    add(PROJECT, 'the last', 'many@pages.example');
    add(FOREIGN_PROJECT, 'the last', 'many@pages.example');
    const view = await carry({ subject: { email: 'many@pages.example' } });
    expect(deleted()).toEqual([`${FOREIGN_PROJECT} the last`, `${PROJECT} the last`]);
    const searched = (await stage.trail(view.id)).find(({ type }) => type === 'request.subject_searched');
    expect(searched?.data['projects']).toEqual(
      expect.arrayContaining([
        { connection: 'default', project_key: PROJECT, candidates: 451, unconfirmed: 0, matches: 1 },
        { connection: 'second', project_key: FOREIGN_PROJECT, candidates: 31, unconfirmed: 0, matches: 1 },
      ]),
    );
  });

  it('that finds nobody completes the request, and says where it looked', async () => {
    add(PROJECT, 'near', 'not.nobody@here.example');
    const view = await carry({ subject: { email: 'nobody@here.example' } });
    expect(view).toMatchObject({ state: 'completed', outcome: 'nothing_found', tasks: [], forecast: null });
    const events = await stage.trail(view.id);
    const [searched, end] = events.slice(-2);
    const nothing = { candidates: 0, unconfirmed: 0, matches: 0 };
    expect(searched).toMatchObject({
      type: 'request.subject_searched',
      data: {
        projects: [
          { connection: 'default', project_key: PROJECT, ...nothing, candidates: 1 },
          { connection: 'default', project_key: OTHER_PROJECT, ...nothing },
          { connection: 'default', project_key: THIRD_PROJECT, ...nothing },
          { connection: 'second', project_key: FOREIGN_PROJECT, ...nothing },
        ],
      },
    });
    expect(end).toMatchObject({ type: 'request.completed', data: { outcome: 'nothing_found' } });
    expect(deleted()).toEqual([]);
  });

  it('that finds too many goes to a person, who may say how many are right', async () => {
    for (const n of [1, 2, 3, 4])
      add(n % 2 === 0 ? PROJECT : OTHER_PROJECT, `shared ${n}`, 'desk@shared.example');
    const { id, ...view } = await carry({ subject: { email: 'desk@shared.example' } });
    expect(view).toMatchObject({ state: 'needs_attention', attention: 'too_many_matches', tasks: [] });
    expect(view.waiting).toMatchObject({ actsNext: 'privacy_team' });
    // The same again changes nothing, nor does a number that is wrong.
    expect(await retry(id)).toMatchObject({ attention: 'too_many_matches' });
    expect(await retry(id, 3)).toMatchObject({ attention: 'unexpected_matches' });
    expect(deleted()).toEqual([]);
    expect(await retry(id, 4)).toMatchObject({ state: 'completed', outcome: 'erased' });
    expect(deleted()).toHaveLength(4);
  });

  it.each([0, 2])('that finds 1 where %i are expected goes to a person', async (tasks) => {
    add(PROJECT, `one for ${tasks}`, `one.${tasks}@count.example`);
    const { id, ...view } = await carry({
      subject: { email: `one.${tasks}@count.example` },
      expect: { tasks },
    });
    expect(view).toMatchObject({ attention: 'unexpected_matches', expectedTasks: tasks, tasks: [] });
    expect(deleted()).toEqual([]);
    expect(await retry(id, 1)).toMatchObject({ state: 'completed' });
    expect(deleted()).toEqual([`${PROJECT} one for ${tasks}`]);
  });

  it('that finds an id that can never be sent leaves that to a person, and erases the rest', async () => {
    add(PROJECT, '../users/bob', 'slash@id.example');
    add(OTHER_PROJECT, 'plain', 'slash@id.example');
    const id = await submit({ subject: { email: 'slash@id.example' } });
    const view = await stage.until(id, (now) => now.tasks.some((task) => task.state === 'erased'));
    expect(view).toMatchObject({ state: 'needs_attention', attention: 'tasks_need_attention' });
    expect(view.tasks.map((task) => [task.projectKey, task.state, task.unroutable?.reason])).toEqual(
      expect.arrayContaining([
        [PROJECT, 'unroutable', 'slash'],
        [OTHER_PROJECT, 'erased', undefined],
      ]),
    );
    expect(deleted()).toEqual([`${OTHER_PROJECT} plain`]);
  });

  it('that lists somebody who then cannot be read goes to a person', async () => {
    add(PROJECT, 'listed', 'listed@only.example');
    add(OTHER_PROJECT, 'readable', 'listed@only.example');
    stage.sandbox.script('getUser', 'jobHiccup404');
    const { id, ...view } = await carry({ subject: { email: 'listed@only.example' } });
    expect(view).toMatchObject({ attention: 'unexpected_matches', tasks: [] });
    expect(deleted()).toEqual([]);
    // It was a hiccup: the next look finds both.
    expect(await retry(id)).toMatchObject({ state: 'completed' });
    expect(deleted()).toEqual([`${OTHER_PROJECT} readable`, `${PROJECT} listed`]);
  });

  it('is tried again when a server does not answer, and nothing goes before all have', async () => {
    add(PROJECT, 'patient', 'patient@wait.example');
    second.script('searchUsers', 'errors500');
    const view = await carry({ subject: { email: 'patient@wait.example' } });
    expect(view.state).toBe('completed');
    const types = (await stage.trail(view.id)).map(({ type }) => type);
    expect(types.indexOf('request.step_delayed')).toBeLessThan(types.indexOf('task.created'));
    expect(types).toContain('request.step_delayed');
    expect(deleted()).toEqual([`${PROJECT} patient`]);
  });

  it('goes together with a user id, which counts for itself in every project', async () => {
    for (const project of [PROJECT, OTHER_PROJECT, THIRD_PROJECT])
      add(project, 'known', 'known@both.example');
    add(PROJECT, 'found', 'by@both.example');
    add(OTHER_PROJECT, 'not found', 'xby@both.example');
    // One match by address, three by id: not too many.
    const subject = { userId: 'known', email: 'by@both.example' };
    const view = await carry({ subject, connection: 'default' });
    expect(view).toMatchObject({ state: 'completed', subject: { kind: 'user_id' } });
    expect(deleted()).toEqual(
      [`${OTHER_PROJECT} known`, `${PROJECT} found`, `${PROJECT} known`, `${THIRD_PROJECT} known`].toSorted(),
    );
  });

  it('that finds the very user id that was given makes one task of both', async () => {
    add(PROJECT, 'same', 'same@both.example');
    const subject = { userId: 'same', email: 'same@both.example' };
    const view = await carry({ subject, connection: 'default', expect: { tasks: 1 } });
    expect(view.tasks.map((task) => [task.projectKey, task.state])).toEqual([[PROJECT, 'erased']]);
    expect(deleted()).toEqual([`${PROJECT} same`]);
  });

  it('counts a user id where only its sessions are known any more', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'sessions only', sessions: 2 });
    // As on real servers: users and sessions are two stores.
    stage.sandbox.script('getUser', 'jobHiccup404');
    const view = await carry({
      subject: { userId: 'sessions only' },
      connection: 'default',
      projectKeys: [PROJECT],
      expect: { tasks: 1 },
    });
    expect(view.state).toBe('completed');
    expect(deleted()).toEqual([`${PROJECT} sessions only`]);
  });
});
