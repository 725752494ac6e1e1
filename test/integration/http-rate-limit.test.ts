import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { WRONG_KEY_LIMIT } from '../../src/app/authenticate.ts';
import { newToken } from '../../src/ids.ts';
import { createPool } from '../../src/store/connection.ts';
import { createStore } from '../../src/store/store.ts';
import { openApi, problemIn, type Answer, type Api, type Call } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';

/** Limits over real HTTP: two API processes' worth of apps, each with connections of its own to one database. */
const [backend] = queueBackends();
const READ = 'GET /v1/erasure-requests';

let stage: Stage;
let api: Api;
let other: Api;
let pool: ReturnType<typeof createPool>;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true });
  const { serviceUrl: connectionString } = stage.database;
  pool = createPool({ connectionString, max: 5, applicationName: 'other' });
  const rateLimit = { requests: 40, perSeconds: 3_600 };
  api = await openApi(stage, { rateLimit, trustProxy: true });
  other = await openApi(stage, { rateLimit, trustProxy: true, parts: { store: createStore(pool) } });
});
afterAll(async () => {
  await other.close();
  await api.close();
  await pool.end();
  await stage.close();
});
beforeEach(() => stage.database.pool.query('DELETE FROM rate_limits'));

/** As if the windows of all limits had ended, so long ago. */
async function endWindows(ago: string): Promise<void> {
  await stage.database.pool.query('UPDATE rate_limits SET resets_at = now() - $1::interval', [ago]);
}

async function statuses(calls: number, call: () => Promise<Answer>): Promise<Record<string, number>> {
  const answers = await Promise.all(Array.from({ length: calls }, call));
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe('calls of one key', () => {
  it('are let through as often as its limit says, and again when the window has ended', async () => {
    const key = await api.makeKey({ rateLimit: { requests: 3, perSeconds: 3_600 } });
    for (const left of [2, 1, 0]) {
      const { status, headers } = await api.call(READ, { key });
      expect(status).toBe(200);
      expect(headers['ratelimit-policy']).toBe('"key";q=3;w=3600');
      expect(headers['ratelimit']).toMatch(new RegExp(`^"key";r=${left};t=3[0-6]\\d\\d$`));
    }
    const refused = await api.call(READ, { key, headers: { 'x-request-id': 'one-too-many' } });
    expect([refused.status, problemIn(refused).code]).toEqual([429, 'RATE_LIMITED']);
    expect(problemIn(refused).detail).toBe('This API key may make 3 calls in 3600 s.');
    const seconds = refused.headers['retry-after'] ?? '';
    expect(seconds).toMatch(/^3[0-6]\d\d$/);
    expect(refused.headers['ratelimit']).toBe(`"key";r=0;t=${seconds}`);
    // The operator sees whose calls these are.
    expect(await api.answerLine('one-too-many')).toMatchObject({ status: 429, apiKeyId: key.id });
    await endWindows('1 second');
    const after = await api.call(READ, { key });
    expect(after.headers['ratelimit']).toMatch(/^"key";r=2;/);
  });

  it('have the configured limit where the key has none, in all processes together', async () => {
    const key = await api.addKey('requests:read');
    let turn = 0;
    const call = () => ((turn += 1) % 2 === 0 ? api : other).call(READ, { key });
    expect(await statuses(50, call)).toEqual({ 200: 40, 429: 10 });
  });

  it('count when the key may not do what is asked, and by the key, whichever its token', async () => {
    const key = await api.makeKey({ scopes: ['requests:read'], rateLimit: { requests: 2, perSeconds: 60 } });
    const rotated = await api.call(`POST /v1/api-keys/${key.id}/rotate`, {
      json: { graceSeconds: 60 },
      reveals: 'token',
    });
    const { token } = z.object({ token: z.string() }).parse(JSON.parse(rotated.body));
    expect((await api.call('GET /v1/api-keys', { key })).status).toBe(403);
    expect((await api.call(READ, { key: { ...key, token } })).status).toBe(200);
    expect((await api.call(READ, { key })).status).toBe(429);
    expect((await api.call(READ, { key: { ...key, token } })).status).toBe(429);
  });

  it('do nothing once they are too many', async () => {
    const key = await api.makeKey({ rateLimit: { requests: 1, perSeconds: 60 } });
    await api.call(READ, { key });
    const json = { subject: { userId: 'somebody' } };
    expect((await api.call('POST /v1/erasure-requests', { key, json })).status).toBe(429);
    const { rowCount } = await stage.database.pool.query('SELECT FROM erasure_requests');
    expect(rowCount).toBe(0);
  });

  it('do not take from another key', async () => {
    const [busy, calm] = [
      await api.makeKey({ rateLimit: { requests: 1, perSeconds: 60 } }),
      await api.makeKey({ rateLimit: { requests: 1, perSeconds: 60 } }),
    ];
    expect(await statuses(3, () => api.call(READ, { key: busy }))).toEqual({ 200: 1, 429: 2 });
    expect((await api.call(READ, { key: calm })).status).toBe(200);
  });

  it('are not counted where no key is needed', async () => {
    await api.call('GET /healthz');
    await api.call('GET /nowhere');
    await api.call(READ, { key: null });
    await api.call(READ, { key: { id: '', token: 'not a token' } });
    expect((await stage.database.pool.query('SELECT FROM rate_limits')).rowCount).toBe(0);
  });
});

describe('wrong keys', () => {
  const { requests, perSeconds } = WRONG_KEY_LIMIT;
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const wrong = (on: Api, address: string) =>
    on.call(READ, { key: { id: '', token: newToken().token }, headers: from(address) });
  const good = (address: string, call: Call = {}) => api.call(READ, { ...call, headers: from(address) });

  it('from one address are refused, and then limited, in all processes together', async () => {
    let turn = 0;
    const call = () => wrong((turn += 1) % 2 === 0 ? api : other, '192.0.2.1');
    expect(await statuses(requests + 5, call)).toEqual({ 401: requests, 429: 5 });
    const refused = await wrong(api, '192.0.2.1');
    expect(problemIn(refused).code).toBe('RATE_LIMITED');
    expect(refused.headers['ratelimit-policy']).toBe(`"address";q=${requests};w=${perSeconds}`);
    expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect((await wrong(api, '192.0.2.2')).status).toBe(401);
    await endWindows('1 second');
    expect((await wrong(api, '192.0.2.1')).status).toBe(401);
  });

  it('lock no good key out, and a good key opens no way for them', async () => {
    const key = await api.makeKey({ rateLimit: { requests: 2, perSeconds: 60 } });
    await statuses(requests + 1, () => wrong(api, '192.0.2.3'));
    expect((await good('192.0.2.3', { key })).status).toBe(200);
    expect((await wrong(api, '192.0.2.3')).status).toBe(429);
    // Nor did they count for it.
    expect((await good('192.0.2.3', { key })).headers['ratelimit']).toMatch(/^"key";r=0;/);
  });

  it('from one network of IPv6 count together', async () => {
    await statuses(requests, () => wrong(api, '2001:db8:1:2::1'));
    expect((await wrong(api, '2001:db8:1:2:ffff::7')).status).toBe(429);
    expect((await wrong(api, '2001:db8:1:3::1')).status).toBe(401);
  });

  it('are those of keys that were revoked or have expired, too', async () => {
    const key = await api.addKey('admin');
    await stage.database.pool.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [key.id]);
    const refused = await good('192.0.2.4', { key });
    expect(refused.status).toBe(401);
    expect(refused.headers['ratelimit-policy']).toMatch(/^"address"/);
  });

  it('leave no address in the database, and nothing for long', async () => {
    const addresses = Array.from({ length: 5 }, (_, index) => `198.51.100.${index}`);
    for (const address of addresses) await wrong(api, address);
    const kept = async () =>
      JSON.stringify((await stage.database.pool.query('SELECT bucket FROM rate_limits')).rows);
    expect(await kept()).not.toContain('198.51');
    await endWindows('61 minutes');
    await wrong(api, '198.51.100.9');
    expect((await stage.database.pool.query('SELECT FROM rate_limits')).rowCount).toBe(1);
  });
});
