import http from 'node:http';
import { z } from 'zod';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';

const KEY = 'abcdefghij0123456789';
const WINDOW = { startTimestamp: 946_684_800_000, endTimestamp: 4_000_000_000_000 };
const open: Sandbox[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((sandbox) => sandbox.stop()));
});

const row = z.looseObject({
  jobId: z.union([z.number(), z.string()]).optional(),
  startTs: z.number().optional(),
  $user_id: z.string().optional(),
});
const content = z
  .looseObject({
    ...{
      total: z.number(),
      startAt: z.number(),
      status: z.string(),
      jobId: z.unknown(),
      errors: z.unknown(),
    },
    ...{ $user_id: z.string(), referenceId: z.string(), projectKey: z.string() },
    ...{ sessions: z.array(row).nullable(), users: z.array(row), events: z.array(row) },
  })
  .partial();
/** What the tests look into, of answers of every shape: `{data: {...}}` is `data`, `{data: [...]}` is `rows`. */
interface Read {
  readonly data: z.infer<typeof content>;
  readonly rows: readonly z.infer<typeof row>[];
}
const answer = z.object({ data: z.union([z.array(row), content]) });

function read(json: unknown): Read {
  const { data = {} } = answer.safeParse(json).data ?? {};
  return Array.isArray(data) ? { data: {}, rows: data } : { data, rows: [] };
}

function parse(text: string): unknown {
  const json: unknown = /^[[{]/.test(text) ? JSON.parse(text) : text;
  return json;
}

interface Reply extends Read {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}
type Ask = (line: string, body?: unknown, token?: string) => Promise<Reply>;

/** `ask('GET /public/...')` sends the path byte for byte, which fetch would not. */
async function opened(
  options: Partial<SandboxOptions> = {},
): Promise<{ sandbox: Sandbox; ask: Ask; url: string }> {
  const sandbox = createSandbox({ personality: 'real', token: 'key', ...options });
  open.push(sandbox);
  sandbox.addProject(KEY, 'Shop');
  const url = await sandbox.start();
  const { port, pathname } = new URL(url);
  const ask: Ask = (line, body, token = 'key') => {
    const [method, path = ''] = line.split(/ (.*)/s);
    const headers = { authorization: `Bearer ${token}` };
    const options = {
      host: '127.0.0.1',
      port,
      method: method ?? 'GET',
      path: pathname + path,
      headers,
      agent: false,
    };
    return new Promise((resolve, reject) => {
      const request = http.request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const json = parse(text);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json,
            ...read(json),
          });
        });
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    });
  };
  return { sandbox, ask, url };
}

const users = (userId: string): string => `/public/${KEY}/users/${encodeURIComponent(userId)}`;

describe('the real personality: answers', () => {
  it('refuses a wrong or missing key with an empty body and no content type', async () => {
    const { ask } = await opened();
    for (const token of ['wrong', '']) {
      const { status, text, headers } = await ask('GET /public/projects', undefined, token);
      expect([status, text, headers['content-type']]).toEqual([401, '', undefined]);
    }
  });

  it('words its refusals in several ways', async () => {
    const { ask } = await opened();
    expect((await ask('GET /public/projects/nope')).json).toEqual({ errors: ['project not found'] });
    expect((await ask('GET /public/nope/jobs')).json).toEqual({ error: 'project not found' });
    const live = await ask(`GET /public/${KEY}/assist/sessions`);
    expect([live.status, live.json]).toEqual([404, { detail: 'Not Found' }]);
    expect((await ask(`POST /public/${KEY}/assist/sessions`, {})).status).toBe(404);
    const unknown = await ask('GET /public/a/b/c/d');
    expect([unknown.status, unknown.text, unknown.headers['content-type']]).toEqual([
      404,
      '404 page not found\n',
      'text/plain; charset=utf-8',
    ]);
  });

  it('is served below /v2, /v2/api and /api/v2, or where told', async () => {
    const { url } = await opened();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v2$/);
    for (const base of ['/v2', '/v2/api', '/api/v2']) {
      const headers = { authorization: 'Bearer key' };
      const { status } = await fetch(new URL(`${base}/public/projects`, url), { headers });
      expect([base, status]).toEqual([base, 200]);
    }
    const elsewhere = await opened({ basePath: '/replay' });
    expect(elsewhere.url).toMatch(/\/replay$/);
    expect((await elsewhere.ask('GET /public/projects')).status).toBe(200);
    expect((await fetch(new URL('/v2/public/projects', elsewhere.url))).status).toBe(404);
  });

  it('reads users with dollar names and escaped text', async () => {
    const { sandbox, ask } = await opened();
    const userId = `o'brien & "co" <b>`;
    sandbox.addUser({
      projectKey: KEY,
      userId,
      name: 'A <i>',
      email: 'x@example.com',
      country: 'DE',
      sessions: 1,
    });
    const { data } = await ask(`GET ${users(userId)}`);
    expect(data.$user_id).toBe('o&#39;brien &amp; &#34;co&#34; &lt;b&gt;');
    expect(data).toMatchObject({ $name: 'A &lt;i&gt;', $email: 'x@example.com', $country: 'DE' });
    expect(data).not.toHaveProperty('userId');
    const found = await ask(`POST /public/${KEY}/users`, { query: 'x@ex' });
    expect(found.data.users?.[0]?.$user_id).toBe(data.$user_id);
  });

  it('refuses ids over 256 bytes and bodies over 128 KB', async () => {
    const { ask } = await opened();
    expect((await ask(`DELETE ${users('é'.repeat(128))}`)).status).toBe(200);
    expect((await ask(`DELETE ${users('é'.repeat(128) + 'x')}`)).status).toBe(400);
    expect((await ask(`POST /public/${KEY}/users`, { query: '', pad: 'x'.repeat(130_000) })).status).toBe(
      200,
    );
    const large = await ask(`POST /public/${KEY}/users`, { query: '', pad: 'x'.repeat(132_000) });
    expect(large.status).toBe(413);
  });

  it('answers bodies that are no JSON with 400', async () => {
    const { ask } = await opened();
    expect((await ask(`POST /public/${KEY}/users`, '{')).json).toEqual({ error: 'invalid JSON body' });
  });

  it('lists sessions by window: null when empty, no total past the last page', async () => {
    const { sandbox, ask } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 3 });
    const path = `POST ${users('u')}/sessions`;
    expect((await ask(path, {})).status).toBe(400);
    expect((await ask(path, { ...WINDOW, endTimestamp: WINDOW.startTimestamp })).status).toBe(400);
    expect((await ask(path, { ...WINDOW, limit: 201 })).status).toBe(400);
    const first = (await ask(path, { ...WINDOW, limit: 2 })).data;
    expect([first.total, first.sessions?.length]).toEqual([3, 2]);
    const starts = (first.sessions ?? []).map(({ startTs = 0 }) => startTs);
    expect(starts).toEqual([...starts].sort((one, other) => other - one));
    expect((await ask(path, { ...WINDOW, limit: 2, page: 3 })).data).toEqual({
      total: 0,
      sessions: null,
    });
    const old = { startTimestamp: WINDOW.startTimestamp, endTimestamp: WINDOW.startTimestamp + 1 };
    expect((await ask(path, old)).data).toEqual({ total: 0, sessions: null });
    expect((await ask(`POST ${users('nobody')}/sessions`, WINDOW)).data.sessions).toBeNull();
  });

  it('requires limit and page for events', async () => {
    const { sandbox, ask } = await opened();
    const { sessionId } = sandbox.addSession({ projectKey: KEY, userId: 'u', eventsCount: 7 });
    const path = `POST /public/${KEY}/sessions/${sessionId}/events`;
    expect((await ask(path, WINDOW)).status).toBe(400);
    expect((await ask(path, { ...WINDOW, limit: 5 })).status).toBe(400);
    const { data } = await ask(path, { ...WINDOW, limit: 5, page: 2 });
    expect([data.total, data.events?.length]).toEqual([7, 2]);
    expect(data.events?.[0]).toMatchObject({ session_id: sessionId, $event_name: 'CLICK' });
  });

  it('answers live sessions in the Enterprise Edition, at most 10 unless asked for more', async () => {
    const { sandbox, ask } = await opened({ edition: 'enterprise' });
    sandbox.addUser({ projectKey: KEY, userId: 'a', sessions: 0, live: 12 });
    sandbox.addUser({ projectKey: KEY, userId: 'b', sessions: 0, live: 1 });
    const path = `/public/${KEY}/assist/sessions`;
    expect((await ask(`GET ${path}`)).data).toMatchObject({ total: 13 });
    expect((await ask(`GET ${path}`)).data.sessions).toHaveLength(10);
    expect((await ask(`GET ${path}?userId=b`)).data.sessions).toMatchObject([{ userId: 'b' }]);
    const filters = [{ name: 'userId', operator: 'is', value: ['a'] }];
    const { data } = await ask(`POST ${path}`, { ...WINDOW, limit: 200, filters });
    expect([data.total, data.sessions?.length]).toEqual([12, 12]);
  });

  it('records a live session once it has ended', async () => {
    const { sandbox, ask } = await opened({ edition: 'enterprise' });
    sandbox.addUser({ projectKey: KEY, userId: 'a', sessions: 1, live: 2 });
    sandbox.endLiveSessions(KEY, 'a');
    expect((await ask(`GET /public/${KEY}/assist/sessions`)).data).toMatchObject({ total: 0 });
    expect([sandbox.sessionCount(KEY, 'a'), sandbox.liveCount(KEY, 'a')]).toEqual([3, 0]);
  });

  it('makes projects, once by name', async () => {
    const { ask } = await opened();
    const { data } = await ask('POST /public/projects', { name: 'New' });
    expect(data.projectKey).toMatch(/^[0-9A-Za-z]{20}$/);
    expect((await ask(`GET /public/projects/${data.projectKey}`)).data).toMatchObject({
      name: 'New',
      platform: 'web',
    });
    for (const body of [{ name: 'New' }, { name: 'Shop' }, {}, { name: '' }, { name: 'x', platform: 'tv' }]) {
      expect((await ask('POST /public/projects', body)).status).toBe(400);
    }
  });
});

describe('the real personality: search', () => {
  it('gives no more users on a page than the server is set to, whatever is asked for', async () => {
    const { sandbox, ask } = await opened({ usersPerPage: 2 });
    for (const userId of ['p1', 'p2', 'p3']) sandbox.addUser({ projectKey: KEY, userId, sessions: 0 });
    const search = async (page: number) =>
      (await ask(`POST /public/${KEY}/users`, { query: 'p', limit: 200, page })).data;
    expect(await search(1)).toMatchObject({ total: 3, users: [{ $user_id: 'p1' }, { $user_id: 'p2' }] });
    expect(await search(2)).toMatchObject({ total: 3, users: [{ $user_id: 'p3' }] });
    expect(await search(3)).toMatchObject({ total: 0, users: [] });
  });

  it('matches any part of id, e-mail and name, with wildcards, and takes at most 100 characters', async () => {
    const { sandbox, ask } = await opened();
    sandbox.addUser({
      projectKey: KEY,
      userId: 'user_1',
      email: 'Ann@Example.com',
      name: 'Ann',
      sessions: 0,
    });
    sandbox.addUser({
      projectKey: KEY,
      userId: 'userX1',
      email: 'bo.b@example.org',
      name: 'Bo',
      sessions: 0,
    });
    sandbox.addUser({ projectKey: KEY, userId: 'z', email: '', name: '100%', sessions: 0 });
    const search = async (query: string): Promise<string[]> => {
      const { data } = await ask(`POST /public/${KEY}/users`, { query });
      return (data.users ?? []).map(({ $user_id = '' }) => $user_id);
    };
    expect(await search('user_1')).toEqual(['user_1', 'userX1']);
    expect(await search(String.raw`user\_1`)).toEqual(['user_1']);
    expect(await search('ANN@example')).toEqual(['user_1']);
    expect(await search('bo.b')).toEqual(['userX1']);
    expect(await search('b%org')).toEqual(['userX1']);
    expect(await search('u.+1')).toEqual([]);
    expect(await search('u%.+1')).toEqual([]);
    expect(await search('%')).toHaveLength(3);
    expect(await search(String.raw`0\%`)).toEqual(['z']);
    expect(await search('x1\nbo')).toEqual([]);
    expect((await ask(`POST /public/${KEY}/users`, { query: 'x'.repeat(100) })).status).toBe(200);
    expect((await ask(`POST /public/${KEY}/users`, { query: 'x'.repeat(101) })).status).toBe(400);
  });

  it('finds those only who are there, and a user who came back once', async () => {
    const { sandbox, ask } = await opened({ personality: 'contract' });
    const total = async (query: string) => (await ask(`POST /public/${KEY}/users`, { query })).data.total;
    for (let round = 0; round < 4; round += 1) {
      // More than once what the index takes before it is made anew.
      for (let n = 0; n < 400; n += 1)
        sandbox.addUser({ projectKey: KEY, userId: `user ${n}.`, sessions: 1 });
      expect([await total('user'), await total('r 399.'), await total('r 40.')]).toEqual([400, 1, 1]);
      for (const userId of sandbox.userIds(KEY)) await ask(`DELETE ${users(userId)}`);
      sandbox.runAllJobs();
      expect([await total('user'), await total('')]).toEqual([0, 0]);
    }
  });

  it('pages, counts, and has no wildcards in the contract personality', async () => {
    const { sandbox, ask } = await opened({ personality: 'contract' });
    for (const n of [1, 2, 3])
      sandbox.addUser({ projectKey: KEY, userId: `u${n}`, country: n > 1 ? 'FR' : 'DE', sessions: n });
    const { data } = await ask(`POST /public/${KEY}/users`, { query: 'U', limit: 2, page: 2 });
    expect(data).toMatchObject({ total: 3, users: [{ userId: 'u3', sessionsCount: 3 }] });
    expect((await ask(`POST /public/${KEY}/users`, { query: 'u%' })).data.total).toBe(0);
    const filters = [{ name: 'country', operator: 'is', value: ['FR'] }];
    expect((await ask(`POST /public/${KEY}/users`, { filters })).data.total).toBe(2);
  });
});

describe('routing', () => {
  it.each(['a/b', '../users/bob', '.', '..', 'a\nb', '%41', '%', 'a+b c', 'a?b#c;d|e\\f', 'ü😀', ' x ', 'A'])(
    'addresses exactly the user %j',
    async (userId) => {
      const { sandbox, ask } = await opened();
      for (const other of ['bob', 'a', 'b', 'x', userId]) {
        if (!sandbox.hasUser(KEY, other)) sandbox.addUser({ projectKey: KEY, userId: other, sessions: 1 });
      }
      // encodeURIComponent leaves dots, which nothing resolves here.
      const { status, data } = await ask(`DELETE ${users(userId)}`);
      expect([status, data.referenceId]).toEqual([200, userId]);
      expect(sandbox.deletionsAsked).toMatchObject([{ projectKey: KEY, userId }]);
      sandbox.runAllJobs();
      expect(sandbox.erased.map((erased) => erased.userId)).toEqual([userId]);
    },
  );

  it('knows neither other cases, nor other slashes, nor parts that cannot be decoded', async () => {
    const { ask } = await opened();
    for (const path of [
      '/Public/projects',
      '/public/projects/',
      '//public/projects',
      `/public/${KEY}/users/`,
    ]) {
      expect([path, (await ask(`GET ${path}`)).status]).toEqual([path, 404]);
    }
    expect((await ask(`DELETE /public/${KEY}/users/%E0%A4%A`)).status).toBe(400);
    expect((await ask(`GET /public/${KEY}/jobs/abc`)).status).toBe(400);
  });
});
