import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Readiness } from '../../src/http/readiness.ts';
import { openApi, PERSON, problemIn, viewIn, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';

/** What the API says of itself: routes, document, health, request ids, log. */
const [backend] = queueBackends();
const REQUESTS = '/v1/erasure-requests';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let stage: Stage;
let api: Api;
let readiness: (() => Promise<Readiness>) | undefined;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

describe('docs/openapi.yaml and the app', () => {
  const documented = () =>
    api.contract.operations.map(({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`);

  it('know the same routes', () => {
    const offered = api.app.router.stack.flatMap(({ route }) => (route ? [route] : []));
    expect(new Set(offered.map((route) => route.path))).toEqual(
      new Set(documented().map((operation) => operation.split(' ')[1])),
    );
    // Where a route is not for one method, it is the answer to all that are not offered.
    const forOne = offered.flatMap(({ path, stack }) => {
      const methods = new Set(stack.map(({ method }) => method));
      return methods.size === 1 ? [...methods].map((method) => `${method.toUpperCase()} ${path}`) : [];
    });
    expect(forOne.toSorted()).toEqual(documented().toSorted());
  });

  it('know the same methods of each', async () => {
    const allowed = await Promise.all(
      [...new Set(api.contract.operations.map(({ path }) => path))].map(async (path) => {
        const { headers } = await api.call(`PATCH ${path.replace(/\{\w+\}/, 'x')}`, { key: null });
        return (headers['allow'] ?? '').split(', ').map((method) => `${method} ${path}`);
      }),
    );
    const known = api.contract.operations.flatMap(({ method, path }) =>
      (method === 'GET' ? ['GET', 'HEAD'] : [method]).map((each) => `${each} ${path}`),
    );
    expect(allowed.flat().toSorted()).toEqual(known.toSorted());
  });

  it('are the same at /openapi.json', async () => {
    const { status, body } = await api.call('GET /openapi.json', { key: null });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual(api.contract.document);
    // Also in its order.
    expect(body).toBe(JSON.stringify(api.contract.document));
  });
});

describe('/docs', () => {
  const get = async (target: string) => {
    const { status, headers, body } = await api.call(`GET ${target}`, { key: null });
    expect(status).toBe(200);
    return { type: headers['content-type'], policy: headers['content-security-policy'] ?? '', body };
  };

  it('loads every file of its own from here, and none from elsewhere', async () => {
    const page = await get('/docs');
    expect(page.type).toBe('text/html; charset=utf-8');
    const loaded = Array.from(page.body.matchAll(/(?:src|href)="([^"]*)"/g), ([, target = '']) => target);
    const files = loaded.filter((target) => target !== 'data:,');
    const types = await Promise.all(files.map(async (file) => (await get(file)).type));
    expect(types).toEqual(
      ['text/css', 'text/javascript', 'text/javascript'].map((type) => `${type}; charset=utf-8`),
    );
    expect(files.map((file) => file.startsWith('/docs/'))).toEqual([true, true, true]);
  });

  it('has no script inside, since the policy of its own server would not run it', async () => {
    const { body, policy } = await get('/docs');
    expect(policy).toContain("script-src 'self'");
    // Without TLS before it, the page would load nothing.
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(body).not.toMatch(/<script(?! src="[^"]+"><\/script>)|<style|\son\w+=/);
  });

  it('starts on this document', async () => {
    expect((await get('/docs/start.js')).body).toContain("url: '/openapi.json'");
  });
});

describe('probes', () => {
  const at = '2026-03-01T09:30:00.000Z';
  const part = (name: string, ok: boolean) => ({ name, ok, detail: ok ? 'answers' : 'does not answer', at });
  let probed: Api;
  beforeAll(async () => {
    probed = await openApi(stage, {
      readiness: () => readiness?.() ?? Promise.reject(new Error('there is none')),
    });
  });
  afterAll(() => probed.close());

  const ready = async () => {
    const { status, body } = await probed.call('GET /readyz', { key: null });
    const said: unknown = JSON.parse(body);
    return { status, said };
  };

  it('/healthz says that the process is alive', async () => {
    expect(await api.call('GET /healthz', { key: null })).toMatchObject({
      status: 200,
      body: '{"status":"alive"}',
    });
    expect((await api.call('HEAD /healthz', { key: null })).status).toBe(200);
  });

  it('/readyz asks the real database', async () => {
    const { status, body } = await api.call('GET /readyz', { key: null });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      status: 'ready',
      parts: [{ name: 'database', ok: true }, { name: 'queue' }, { name: 'connection default', at: null }],
    });
  });

  it.each([
    [
      'an OpenReplay is away',
      200,
      [part('database', true), part('queue', true), part('connection a', false)],
    ],
    ['the database is away', 503, [part('database', false), part('queue', true)]],
    ['the queue is away', 503, [part('database', true), part('queue', false)]],
    ['nothing is known of the queue', 503, [part('database', true)]],
  ])('/readyz when %s: %i', async (_name, status, parts) => {
    readiness = () => Promise.resolve({ parts });
    expect(await ready()).toEqual({
      status,
      said: { status: status === 200 ? 'ready' : 'not_ready', parts },
    });
  });

  it('/readyz when looking fails: 503, and no word of the error', async () => {
    readiness = () => Promise.reject(new Error(`${PERSON} is away`));
    expect(await ready()).toMatchObject({
      status: 503,
      said: { status: 'not_ready', parts: [{ name: 'probe', ok: false, detail: 'failed' }] },
    });
  });

  it('are logged only when something is worth it', async () => {
    readiness = () => Promise.resolve({ parts: [] });
    await probed.call('GET /readyz', { headers: { 'x-request-id': 'not-ready' } });
    await probed.call('GET /healthz', { headers: { 'x-request-id': 'alive' } });
    expect(await probed.answerLine('not-ready')).toMatchObject({ level: 40, route: '/readyz', status: 503 });
    expect(await probed.answerLine('alive')).toMatchObject({ level: 20, route: '/healthz', status: 200 });
  });
});

describe('the request id', () => {
  const idOf = async (given?: string | readonly string[], target = 'GET /nowhere') => {
    const answer = await api.call(target, given === undefined ? {} : { headers: { 'x-request-id': given } });
    return answer.headers['x-request-id'] ?? '';
  };

  it.each(['a', 'x'.repeat(64), '0d7d4c1e-6a3f-4f0e-9c52-6c0c5f6f2f11', 'A.b_c-9'])(
    "is the caller's own: %s",
    async (id) => {
      for (const target of ['GET /nowhere', 'GET /healthz', `GET ${REQUESTS}`, `DELETE ${REQUESTS}`]) {
        expect(await idOf(id, target)).toBe(id);
      }
    },
  );

  it.each([
    ['none', undefined],
    ['an empty one', ''],
    ['one that is too long', 'x'.repeat(65)],
    ['one with a space', 'jane roe'],
    ['one with other characters', PERSON],
    ['two', ['one', 'two']],
  ])('is a new one for %s', async (_name, given) => {
    const [first, second] = [await idOf(given), await idOf(given)];
    expect(first).toMatch(UUID);
    expect(second).toMatch(UUID);
    expect(second).not.toBe(first);
  });

  it('names the problem', async () => {
    const answer = await api.call('GET /nowhere', { headers: { 'x-request-id': 'mine' } });
    expect(problemIn(answer)).toMatchObject({ instance: 'urn:lethe:request:mine' });
  });
});

describe('the log', () => {
  const logged = z.strictObject({
    level: z.literal(30),
    time: z.number(),
    pid: z.number(),
    hostname: z.string(),
    reqId: z.string(),
    method: z.string(),
    route: z.string().nullable(),
    status: z.number(),
    durationMs: z.number().nonnegative(),
    apiKeyId: z.string().optional(),
    msg: z.literal('request answered'),
  });

  it('has one line for each request, of which nothing was written by the caller', async () => {
    const key = await api.addKey('admin');
    const json = { subject: { userId: PERSON }, reference: 'told', note: `told by ${PERSON}` };
    const { id } = viewIn(await api.call(`POST ${REQUESTS}`, { key, json }));
    const calls = [
      [`POST ${REQUESTS}`, 201, REQUESTS, { json, headers: { 'idempotency-key': PERSON } }],
      [`POST ${REQUESTS}`, 422, REQUESTS, { json: { ...json, [PERSON]: PERSON } }],
      [`POST ${REQUESTS}`, 400, REQUESTS, { body: PERSON, headers: { 'content-type': 'application/json' } }],
      [`GET ${REQUESTS}?reference=told&limit=1`, 200, REQUESTS, {}],
      [`GET ${REQUESTS}?reference=${PERSON}&x=${PERSON}`, 422, REQUESTS, {}],
      [`GET ${REQUESTS}/${id}`, 200, `${REQUESTS}/:id`, {}],
      [`GET ${REQUESTS}/${PERSON}`, 404, `${REQUESTS}/:id`, {}],
      [`GET ${REQUESTS}/${id}/events`, 200, `${REQUESTS}/:id/events`, {}],
      [`POST ${REQUESTS}/${id}/cancel`, 200, `${REQUESTS}/:id/cancel`, {}],
    ] as const;
    for (const [index, [target, status, route, call]] of calls.entries()) {
      const reqId = `line-${index}`;
      const headers = { 'user-agent': PERSON, ...('headers' in call && call.headers), 'x-request-id': reqId };
      expect((await api.call(target, { key, ...call, headers })).status).toBe(status);
      expect(logged.parse(await api.answerLine(reqId))).toMatchObject({
        method: target.split(' ')[0],
        route,
        status,
        apiKeyId: key.id,
      });
    }
    const all = JSON.stringify(api.log);
    for (const text of ['jane.roe', 'told', id, key.token]) expect(all).not.toContain(text);
  });

  it.each([
    ['GET /nowhere', 404, null],
    [`GET /${PERSON}?${PERSON}`, 404, null],
    [`DELETE ${REQUESTS}/${PERSON}`, 405, `${REQUESTS}/:id`],
    [`GET ${REQUESTS}/${PERSON}`, 401, `${REQUESTS}/:id`],
  ])('has a line for %s without a key', async (target, status, route) => {
    const reqId = `keyless-${status}-${target.length}`;
    await api.call(target, { key: null, headers: { 'x-request-id': reqId } });
    const line = logged.parse(await api.answerLine(reqId));
    expect(line).toMatchObject({ status, route });
    expect(line).not.toHaveProperty('apiKeyId');
  });
});
