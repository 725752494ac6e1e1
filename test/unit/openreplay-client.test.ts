import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { UNROUTABLE_REASONS, unroutableReason } from '../../src/domain/identifiers.ts';
import type { CallFailure } from '../../src/domain/openreplay.ts';
import { createOpenReplayClient } from '../../src/openreplay/client.ts';
import type { OpenReplayClient } from '../../src/openreplay/client.ts';
import { startHttpServer } from '../support/http-server.ts';

const API_KEY = 'an-organization-key';
const USER = { projectKey: 'aProjectKeyOfTwentyC', userId: 'bob@example.com' };
const JOB = { projectKey: USER.projectKey, jobId: '7' };
const WINDOW = { limit: 200, page: 1, startTimestamp: 946_684_800_000, endTimestamp: 946_684_800_001 };

const opened: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function clientOf(handler: Handler, basePath = '/api/v2'): Promise<OpenReplayClient> {
  const server = await startHttpServer(handler);
  const client = createOpenReplayClient({
    baseUrl: `${server.origin}${basePath}`,
    apiKey: API_KEY,
    connectTimeoutMs: 2_000,
    responseTimeoutMs: 2_000,
    maxBodyBytes: 1_000,
    maxSockets: 4,
  });
  opened.push(
    () => server.close(),
    () => {
      client.close();
    },
  );
  return client;
}

function answering(
  status: number,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
): Handler {
  return (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };
}

describe('an id arrives exactly', () => {
  const nasty = fc.constantFrom(
    '%2e%2e',
    '%2E',
    '%252e',
    '.%2e',
    '...',
    '\\',
    '..\\',
    'a?b',
    'a#b',
    'a;b',
    '👩‍👩‍👧',
    '%',
    '%zz',
  );
  const syntax = fc.string({
    unit: fc.constantFrom('.', '%', '2', 'e', 'F', '\\', '?', '#', ';', '+', ' ', '&', '=', ':', '@', "'"),
  });
  const anyText = fc.oneof(nasty, syntax, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
  const routable = anyText.filter((text) => unroutableReason(text) === undefined);

  it('in every path that has one, and in the query', async () => {
    const targets: string[] = [];
    const client = await clientOf((request, response) => {
      targets.push(request.url ?? '');
      request.resume();
      response.end('{}');
    });
    const { projectKey } = USER;
    const start = `/api/v2/public/${projectKey}`;
    await fc.assert(
      fc.asyncProperty(routable, async (id) => {
        targets.length = 0;
        await client.deleteUser({ projectKey, userId: id });
        await client.getUser({ projectKey, userId: id });
        await client.cancelJob({ projectKey, jobId: id });
        await client.listUserSessions({ projectKey, userId: id }, WINDOW);
        await client.listSessionEvents({ projectKey, sessionId: id }, WINDOW);
        await client.listLiveSessions(projectKey, id);
        const [deleteUser, getUser, cancelJob, sessions, events, live] = targets;
        expect(idBetween(deleteUser, `${start}/users/`, '')).toBe(id);
        expect(idBetween(getUser, `${start}/users/`, '')).toBe(id);
        expect(idBetween(cancelJob, `${start}/jobs/`, '')).toBe(id);
        expect(idBetween(sessions, `${start}/users/`, '/sessions')).toBe(id);
        expect(idBetween(events, `${start}/sessions/`, '/events')).toBe(id);
        expect(idBetween(live, `${start}/assist/sessions?userId=`, '')).toBe(id);
        expect(targets).toHaveLength(6);
      }),
      { numRuns: 200 },
    );
  });

  function idBetween(target: string | undefined, before: string, after: string): string {
    if (target?.startsWith(before) !== true || !target.endsWith(after)) throw new Error('another path');
    const segment = target.slice(before.length, target.length - after.length);
    expect(segment).toMatch(/^[\w.~!*'()%-]+$/);
    return decodeURIComponent(segment);
  }

  it.each(['/v2', '/v2/', '/v2/api', '/v2/api//', ''])('below the base path %j', async (basePath) => {
    const targets: unknown[] = [];
    const client = await clientOf((request, response) => {
      targets.push(request.url);
      response.end('{}');
    }, basePath);
    await client.getProject('key');
    expect(targets).toEqual([`${basePath.replace(/\/+$/, '')}/public/projects/key`]);
  });
});

describe('what must not be in a path', () => {
  const unroutable: Readonly<Record<(typeof UNROUTABLE_REASONS)[number], string>> = {
    empty: '',
    too_long: 'é'.repeat(129),
    slash: '../users/bob',
    control_character: 'a\nb',
    dot_segment: '..',
    lone_surrogate: 'a\ud800',
  };

  it.each(UNROUTABLE_REASONS)('is never sent: %s', async (reason) => {
    let requests = 0;
    const client = await clientOf((_request, response) => {
      requests += 1;
      response.end('{}');
    });
    const { projectKey } = USER;
    const id = unroutable[reason];
    const failures = async (field: string, calls: readonly Promise<unknown>[]) => {
      for (const outcome of await Promise.all(calls)) {
        expect(outcome).toStrictEqual({ ok: false, failure: { kind: 'unsendable', field } });
      }
    };
    await failures('userId', [
      client.getUser({ projectKey, userId: id }),
      client.deleteUser({ projectKey, userId: id }),
      client.listUserSessions({ projectKey, userId: id }, WINDOW),
      client.listLiveSessions(projectKey, id),
    ]);
    await failures('jobId', [
      client.getJob({ projectKey, jobId: id }),
      client.cancelJob({ projectKey, jobId: id }),
    ]);
    await failures('sessionId', [client.listSessionEvents({ projectKey, sessionId: id }, WINDOW)]);
    await failures('projectKey', [
      client.getProject(id),
      client.searchUsers(id, { limit: 1, page: 1 }),
      client.deleteUser({ projectKey: id, userId: 'bob' }),
      client.listJobs(id, { limit: 1, page: 1 }),
      client.listLiveSessions(id),
      client.searchLiveSessions(id, WINDOW),
    ]);
    expect(requests).toBe(0);
  });

  it.each(['a b', 'a?b', 'a%2fb', 'clé', 'a'.repeat(65)])(
    'is never sent: the project key %j',
    async (projectKey) => {
      let requests = 0;
      const client = await clientOf((_request, response) => {
        requests += 1;
        response.end('{}');
      });
      const outcome = await client.deleteUser({ projectKey, userId: 'bob' });
      expect(outcome).toStrictEqual({ ok: false, failure: { kind: 'unsendable', field: 'projectKey' } });
      expect(requests).toBe(0);
    },
  );
});

describe('an answer', () => {
  it('brings the job', async () => {
    const client = await clientOf(answering(200, '{"data":{"jobId":7,"status":"scheduled","startAt":5}}'));
    expect(await client.deleteUser(USER)).toEqual({
      ok: true,
      value: { jobId: '7', status: 'scheduled', startAt: 5, hasErrors: false },
    });
  });

  it('may begin with a byte order mark and name any content type', async () => {
    const body = '\ufeff{"data":{"jobId":7,"status":"failed"}}';
    const client = await clientOf(answering(200, body, { 'content-type': 'text/html' }));
    expect(await client.getJob(JOB)).toMatchObject({ ok: true, value: { jobId: '7' } });
  });

  const failures: readonly (readonly [number, CallFailure])[] = [
    [301, { kind: 'redirected', status: 301 }],
    [302, { kind: 'redirected', status: 302 }],
    [303, { kind: 'redirected', status: 303 }],
    [304, { kind: 'redirected', status: 304 }],
    [308, { kind: 'redirected', status: 308 }],
    [400, { kind: 'rejected', status: 400 }],
    [401, { kind: 'unauthorized' }],
    [402, { kind: 'rejected', status: 402 }],
    [403, { kind: 'rejected', status: 403 }],
    [404, { kind: 'not_found' }],
    [409, { kind: 'conflict' }],
    [413, { kind: 'rejected', status: 413 }],
    [429, { kind: 'rate_limited', retryAfterMs: undefined }],
    [500, { kind: 'server_error', status: 500 }],
    [503, { kind: 'server_error', status: 503 }],
    [599, { kind: 'server_error', status: 599 }],
  ];

  it.each(failures)('of %i is told by its status, whatever its body', async (status, failure) => {
    const good = '{"data":{"jobId":7,"status":"scheduled"}}';
    for (const body of ['', good, '<html>', '{"error":"bob@example.com"}', 'x'.repeat(5_000)]) {
      const client = await clientOf(answering(status, body, { location: '/v2/elsewhere' }));
      expect(await client.deleteUser(USER)).toStrictEqual({ ok: false, failure });
    }
  });

  it('of 429 says how long to wait', async () => {
    const seconds = await clientOf(answering(429, '', { 'retry-after': '7' }));
    expect(await seconds.getUser(USER)).toStrictEqual({
      ok: false,
      failure: { kind: 'rate_limited', retryAfterMs: 7_000 },
    });
    const date = await clientOf(answering(429, '', { 'retry-after': new Date(0).toUTCString() }));
    expect(await date.getUser(USER)).toMatchObject({ failure: { retryAfterMs: 0 } });
  });

  it('that redirects is not followed', async () => {
    const targets: unknown[] = [];
    const client = await clientOf((request, response) => {
      targets.push(`${String(request.method)} ${String(request.url)}`);
      response.writeHead(307, { location: '/api/v2/public/other/users/eve' }).end();
    });
    expect(await client.deleteUser(USER)).toMatchObject({ failure: { kind: 'redirected', status: 307 } });
    expect(targets).toEqual([`DELETE /api/v2/public/${USER.projectKey}/users/bob%40example.com`]);
  });

  const whole = '{"data":{"jobId":7,"status":"scheduled"}}';
  it.each([
    ['is empty', 200, ''],
    ['has no content', 204, ''],
    ['is HTML', 200, '<html><body>Welcome</body></html>'],
    ['is cut JSON', 200, whole.slice(0, -1)],
    ['has no data', 200, '{}'],
    ['has errors for data', 200, '{"errors":["bob@example.com"]}'],
    ['has errors beside data', 200, '{"data":{"jobId":7,"status":"scheduled"},"errors":["x"]}'],
    [
      'is not UTF-8',
      200,
      Buffer.from([...Buffer.from('{"data":{"jobId":"'), 0xff, ...Buffer.from('","status":"failed"}}')]),
    ],
    ['is over the cap', 200, whole + ' '.repeat(1_000)],
  ])('of success that %s is unreadable', async (_what, status, body) => {
    const client = await clientOf(answering(status, body));
    expect(await client.deleteUser(USER)).toStrictEqual({
      ok: false,
      failure: { kind: 'unreadable', status },
    });
  });

  it('may be as long as the cap', async () => {
    const client = await clientOf(answering(200, whole.padEnd(1_000)));
    expect(await client.deleteUser(USER)).toMatchObject({ ok: true });
  });

  it('that is compressed is not unfolded: nobody asked for it', async () => {
    const asked: unknown[] = [];
    const client = await clientOf((request, response) => {
      asked.push(request.headers['accept-encoding']);
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(whole));
    });
    expect(await client.getJob(JOB)).toStrictEqual({
      ok: false,
      failure: { kind: 'unreadable', status: 200 },
    });
    expect(asked).toEqual(['identity']);
  });

  it('sets no cookie', async () => {
    const cookies: unknown[] = [];
    const client = await clientOf((request, response) => {
      cookies.push(request.headers.cookie);
      response.writeHead(200, { 'set-cookie': 'a=b' }).end(whole);
    });
    await client.getJob(JOB);
    await client.getJob(JOB);
    expect(cookies).toEqual([undefined, undefined]);
  });
});

describe('live sessions', () => {
  const notAvailable: readonly (readonly [number, string])[] = [
    [402, ''],
    [403, '{"error":"enterprise only"}'],
    [404, '404 page not found'],
    [200, '{"detail":"Not Found"}'],
    [400, '{"detail":"Not Found"}'],
    [405, '{"detail":"Method Not Allowed"}'],
  ];
  it.each(notAvailable)('are not available here: %i %s', async (status, body) => {
    const client = await clientOf(answering(status, body));
    const outcome = { ok: false, failure: { kind: 'not_available', status } };
    expect(await client.listLiveSessions('key', 'bob')).toStrictEqual(outcome);
    expect(await client.searchLiveSessions('key', WINDOW)).toStrictEqual(outcome);
  });

  const otherwise: readonly (readonly [number, string, string])[] = [
    [401, '{"detail":"Not Found"}', 'unauthorized'],
    [429, '{"detail":"Not Found"}', 'rate_limited'],
    [500, '{"detail":"Not Found"}', 'server_error'],
    [422, '{"detail":[{"msg":"field required"}]}', 'rejected'],
    [200, '{"detail":"try later"}', 'unreadable'],
    [200, '{"errors":["Not Found"]}', 'unreadable'],
  ];
  it.each(otherwise)('may fail otherwise: %i %s', async (status, body, kind) => {
    const client = await clientOf(answering(status, body));
    expect(await client.listLiveSessions('key')).toMatchObject({ failure: { kind } });
  });

  it('are told apart from other operations, where 404 is no such thing', async () => {
    const client = await clientOf(answering(404, '{"detail":"Not Found"}'));
    expect(await client.getUser(USER)).toMatchObject({ failure: { kind: 'not_found' } });
  });
});

describe('connections', () => {
  it('are kept for the next call', async () => {
    const ports = new Set<unknown>();
    const client = await clientOf((request, response) => {
      ports.add(request.socket.remotePort);
      request.resume();
      response.end('{}');
    });
    for (let call = 0; call < 5; call += 1) {
      await client.deleteUser(USER);
      await client.searchUsers('key', { limit: 1, page: 1 });
    }
    expect(ports.size).toBe(1);
  });

  it('are at most as many as allowed, and calls wait for one', async () => {
    let open = 0;
    let most = 0;
    const client = await clientOf((_request, response) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        response.end('{"data":{"jobId":7,"status":"failed"}}');
      }, 5);
    });
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => client.getJob(JOB)));
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(40);
    expect(most).toBe(4);
  });
});
