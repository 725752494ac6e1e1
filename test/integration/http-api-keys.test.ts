import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createApiKey } from '../../src/app/create-api-key.ts';
import {
  PERSON,
  openApi,
  placesIn,
  problemIn,
  type Answer,
  type Api,
  type Call,
  type TestKey,
} from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';

/** Keys that are made, ended and rotated over real HTTP. Each answer is checked against docs/openapi.yaml. */
const [backend] = queueBackends();
const KEYS = '/v1/api-keys';
const READ = 'GET /v1/erasure-requests';
const UNKNOWN = `ak_${'0'.repeat(32)}`;

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

const view = z.looseObject({
  id: z.string(),
  scopes: z.array(z.string()),
  lastUsedAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  oldTokenUntil: z.string().nullable(),
});
const newToken = view.extend({ token: z.string() });
const viewOf = ({ body }: Answer) => view.parse(JSON.parse(body));
const tokenOf = ({ body }: Answer) => newToken.parse(JSON.parse(body));

async function create(json: object, call: Call = {}) {
  return tokenOf(await api.call(`POST ${KEYS}`, { json, reveals: 'token', ...call }));
}
async function rotate(id: string, json?: object) {
  return tokenOf(await api.call(`POST ${KEYS}/${id}/rotate`, { ...(json && { json }), reveals: 'token' }));
}
async function listed(id: string) {
  const { items } = z
    .object({ items: z.array(view) })
    .parse(JSON.parse((await api.call(`GET ${KEYS}`)).body));
  return items.find((key) => key.id === id);
}
const opens = async (key: TestKey) => (await api.call(READ, { key })).status === 200;
const codeOf = (answer: Answer) => `${answer.status} ${problemIn(answer).code}`;

const events = z.object({
  events: z.array(z.looseObject({ seq: z.number(), key_id: z.string().optional() })),
});
async function eventsOf(keyId: string) {
  const all: z.output<typeof events>['events'] = [];
  for (let after = -1; ; after += 200) {
    const { body } = await api.call(`GET /v1/admin-events?limit=200&after=${after}`);
    const page = events.parse(JSON.parse(body)).events;
    all.push(...page);
    if (page.length < 200) break;
  }
  expect(all.map((event) => event.seq)).toEqual(all.map((_event, index) => index));
  return all.filter((event) => event.key_id === keyId);
}

/** Changes a time of a key, as if it had come. */
async function lay(keyId: string, column: 'expires_at' | 'last_used_at', interval: string): Promise<void> {
  await stage.database.pool.query(`UPDATE api_keys SET ${column} = now() - $2::interval WHERE id = $1`, [
    keyId,
    interval,
  ]);
}

describe('a key that is made', () => {
  it('opens with its token, which is shown once, and says who made it', async () => {
    const maker = await api.addKey('admin');
    const key = await create(
      { name: 'privacy team', scopes: ['requests:read', 'requests:read'] },
      { key: maker },
    );
    expect(key).toMatchObject({
      name: 'privacy team',
      scopes: ['requests:read'],
      createdBy: maker.id,
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
      rotatedAt: null,
      oldTokenUntil: null,
      rateLimit: null,
    });
    expect(await opens(key)).toBe(true);
    // The list is refused by the support's check if it holds any token.
    const { token, ...shown } = key;
    expect(token).toMatch(/^lethe_[\w-]{43}$/);
    expect(await listed(key.id)).toEqual({ ...shown, lastUsedAt: expect.any(String) });
    expect(await eventsOf(key.id)).toEqual([
      expect.objectContaining({
        type: 'api_key.created',
        actor: `api_key:${maker.id}`,
        data: { scopes: ['requests:read'], expires_at: null, rate_limit: null },
      }),
    ]);
  });

  it('on the machine itself says so', async () => {
    const key = await api.addKey('reports:read');
    expect(await listed(key.id)).toMatchObject({ createdBy: 'local' });
    expect(await eventsOf(key.id)).toMatchObject([{ type: 'api_key.created', actor: 'local' }]);
  });

  it('opens until it expires', async () => {
    const expiresAt = '2999-12-31T23:59:59.000Z';
    const key = await create({ name: 'short', scopes: ['admin'], expiresAt });
    expect(await listed(key.id)).toMatchObject({ expiresAt });
    expect(await opens(key)).toBe(true);
    await lay(key.id, 'expires_at', '1 second');
    expect(codeOf(await api.call(READ, { key }))).toBe('401 API_KEY_REFUSED');
    expect(codeOf(await api.call(`POST ${KEYS}/${key.id}/rotate`))).toBe('409 API_KEY_ENDED');
  });

  it.each<[string, object, string[]]>([
    ['no name', { scopes: ['admin'] }, ['/name']],
    ['an empty name', { name: '', scopes: ['admin'] }, ['/name']],
    ['a name of two lines', { name: 'a\nb', scopes: ['admin'] }, ['/name']],
    ['a name that is too long', { name: 'x'.repeat(101), scopes: ['admin'] }, ['/name']],
    ['no scopes', { name: 'x', scopes: [] }, ['/scopes']],
    ['another scope', { name: 'x', scopes: ['admin', 'root'] }, ['/scopes/1']],
    [
      'an end that has passed',
      { name: 'x', scopes: ['admin'], expiresAt: '2026-01-01T00:00:00Z' },
      ['/expiresAt'],
    ],
    ['no time', { name: 'x', scopes: ['admin'], expiresAt: 'tomorrow' }, ['/expiresAt']],
    ['half a limit', { name: 'x', scopes: ['admin'], rateLimit: { requests: 1 } }, ['/rateLimit/perSeconds']],
    [
      'a limit of nothing',
      { name: 'x', scopes: ['admin'], rateLimit: { requests: 0, perSeconds: 1 } },
      ['/rateLimit/requests'],
    ],
    ['a token', { name: 'x', scopes: ['admin'], token: 'x' }, ['/token']],
  ])('is refused with %s', async (_name, json, places) => {
    const answer = await api.call(`POST ${KEYS}`, { json });
    expect([codeOf(answer), ...placesIn(answer)]).toEqual(['422 COMMAND_INVALID', ...places]);
  });

  it('is not given what its maker may not do itself', async () => {
    const maker = { id: stage.apiKeyId, name: 'maker', scopes: ['requests:read', 'audit:read'] };
    const before = await stage.deps.store.listApiKeys();
    const wish = (scopes: readonly ('requests:read' | 'requests:write' | 'admin')[]) =>
      createApiKey(stage.deps, { name: 'made', scopes }, maker);
    await expect(wish(['requests:read', 'requests:write'])).rejects.toMatchObject({ code: 'SCOPE_NOT_HELD' });
    await expect(wish(['admin'])).rejects.toMatchObject({ code: 'SCOPE_NOT_HELD' });
    expect(await stage.deps.store.listApiKeys()).toHaveLength(before.length);
    expect(await wish(['requests:read'])).toMatchObject({ createdBy: maker.id });
  });
});

describe('a key that is revoked', () => {
  it('opens nothing from then on, and asking twice changes nothing', async () => {
    const key = await api.addKey('requests:read');
    expect(await opens(key)).toBe(true);
    const first = await api.call(`POST ${KEYS}/${key.id}/revoke`);
    expect(first.status).toBe(200);
    expect(viewOf(first).revokedAt).not.toBeNull();
    expect(codeOf(await api.call(READ, { key }))).toBe('401 API_KEY_REFUSED');
    expect((await api.call(`POST ${KEYS}/${key.id}/revoke`, { json: {} })).body).toBe(first.body);
    expect((await eventsOf(key.id)).map((event) => event['type'])).toEqual([
      'api_key.created',
      'api_key.revoked',
    ]);
    expect(codeOf(await api.call(`POST ${KEYS}/${key.id}/rotate`))).toBe('409 API_KEY_ENDED');
  });

  it('opens nothing with its old token either', async () => {
    const key = await api.addKey('requests:read');
    const fresh = await rotate(key.id, { graceSeconds: 600 });
    await api.call(`POST ${KEYS}/${key.id}/revoke`);
    expect([await opens(key), await opens(fresh)]).toEqual([false, false]);
  });
});

describe('the last admin key that opens', () => {
  let lonely: Stage;
  let only: Api;
  beforeAll(async () => {
    if (backend === undefined) throw new Error('there is no queue');
    lonely = await openStage({ backend, withoutWorker: true });
    only = await openApi(lonely);
    await lonely.database.pool.query('UPDATE api_keys SET revoked_at = now()');
  });
  afterAll(async () => {
    await only.close();
    await lonely.close();
  });
  const revoke = (key: TestKey, id: string) => only.call(`POST ${KEYS}/${id}/revoke`, { key });

  it('cannot be revoked over HTTP, by itself or while others have ended', async () => {
    const [admin, expired, reader] = [
      await only.addKey('admin'),
      await only.addKey('admin'),
      await only.addKey('requests:read', 'audit:read'),
    ];
    await lonely.database.pool.query('UPDATE api_keys SET expires_at = now() WHERE id = $1', [expired.id]);
    expect(codeOf(await revoke(admin, admin.id))).toBe('409 LAST_ADMIN_KEY');
    expect((await revoke(admin, reader.id)).status).toBe(200);
    expect((await revoke(admin, expired.id)).status).toBe(200);
    const another = await only.addKey('admin');
    expect((await revoke(admin, admin.id)).status).toBe(200);
    expect(codeOf(await revoke(another, another.id))).toBe('409 LAST_ADMIN_KEY');
  });

  it('stays when two revoke each other at the same time', async () => {
    for (let times = 0; times < 5; times += 1) {
      await lonely.database.pool.query('UPDATE api_keys SET revoked_at = now()');
      const [one, other] = [await only.addKey('admin'), await only.addKey('admin')];
      await Promise.all([revoke(one, other.id), revoke(other, one.id)]);
      const { rows } = await lonely.database.pool.query('SELECT id FROM api_keys WHERE revoked_at IS NULL');
      expect(rows).toHaveLength(1);
    }
  });
});

describe('a key that is rotated', () => {
  it('keeps its id and scopes, and opens with the new token only', async () => {
    const old = await create({
      name: 'turns',
      scopes: ['requests:read'],
      rateLimit: { requests: 99, perSeconds: 9 },
    });
    const fresh = await rotate(old.id);
    expect(fresh).toMatchObject({
      id: old.id,
      name: 'turns',
      scopes: old.scopes,
      rateLimit: old['rateLimit'],
    });
    expect(fresh.token).not.toBe(old.token);
    expect([await opens(old), await opens(fresh)]).toEqual([false, true]);
    expect(await eventsOf(old.id)).toMatchObject([
      { type: 'api_key.created' },
      { type: 'api_key.rotated', data: { grace_seconds: 0 } },
    ]);
  });

  it('opens with the old token, too, for as long as is asked', async () => {
    const old = await api.addKey('requests:read');
    const fresh = await rotate(old.id, { graceSeconds: 60 });
    expect(fresh.oldTokenUntil).not.toBeNull();
    expect([await opens(old), await opens(fresh)]).toEqual([true, true]);
    await stage.database.pool.query(
      "UPDATE api_key_old_tokens SET valid_until = valid_until - interval '61 seconds' WHERE api_key_id = $1",
      [old.id],
    );
    expect([await opens(old), await opens(fresh)]).toEqual([false, true]);
  });

  it('has at most two tokens', async () => {
    const first = await api.addKey('requests:read');
    const second = await rotate(first.id, { graceSeconds: 600 });
    const third = await rotate(first.id, { graceSeconds: 600 });
    expect([await opens(first), await opens(second), await opens(third)]).toEqual([false, true, true]);
  });

  it.each([
    { graceSeconds: -1 },
    { graceSeconds: 604_801 },
    { graceSeconds: 0.5 },
    { graceSeconds: '60' },
    { grace: 1 },
  ])('is refused with %j', async (json) => {
    const key = await api.addKey('requests:read');
    const answer = await api.call(`POST ${KEYS}/${key.id}/rotate`, { json });
    expect([codeOf(answer), ...placesIn(answer)]).toEqual([
      '422 COMMAND_INVALID',
      `/${Object.keys(json).join('')}`,
    ]);
    expect(await opens(key)).toBe(true);
  });
});

describe('the time of its last use', () => {
  const writes = z.tuple([z.object({ count: z.number() })]);
  const written = async () => {
    const { rows } = await stage.database.pool.query('SELECT count(*)::int AS count FROM key_writes');
    return writes.parse(rows)[0].count;
  };
  beforeAll(async () => {
    await stage.database.pool.query(`
      CREATE TABLE key_writes (id text);
      CREATE FUNCTION note_key_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO key_writes VALUES (NEW.id); RETURN NULL; END';
      CREATE TRIGGER note AFTER UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION note_key_write()`);
  });

  it('is written at most once a minute, however many calls come at once', async () => {
    const key = await api.addKey('requests:read');
    const tenAtOnce = () => Promise.all(Array.from({ length: 10 }, () => opens(key)));
    await tenAtOnce();
    expect(await written()).toBe(1);
    await tenAtOnce();
    expect(await written()).toBe(1);
    await lay(key.id, 'last_used_at', '61 seconds');
    await tenAtOnce();
    // The second one is the test's own.
    expect(await written()).toBe(3);
  });

  it('is moved by what the key may not do, too, and not by wrong keys', async () => {
    const key = await api.addKey('requests:read');
    await api.call(READ, { key: { id: key.id, token: `lethe_${randomBytes(32).toString('base64url')}` } });
    expect(await listed(key.id)).toMatchObject({ lastUsedAt: null });
    await api.call(`GET ${KEYS}`, { key });
    expect((await listed(key.id))?.lastUsedAt).not.toBeNull();
  });
});

describe('the trail of keys', () => {
  it('has no gap, however many write to it at the same time', async () => {
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, index) => create({ name: `key ${index}`, scopes: ['requests:read'] })),
    );
    await Promise.all(made.map(({ id }) => rotate(id)));
    for (const { id } of made) expect(await eventsOf(id)).toHaveLength(2);
  });

  it('has no event of what was not done', async () => {
    const before = (await eventsOf(UNKNOWN)).length;
    expect(codeOf(await api.call(`POST ${KEYS}/${UNKNOWN}/rotate`))).toBe('404 API_KEY_NOT_FOUND');
    expect((await eventsOf(UNKNOWN)).length).toBe(before);
  });

  it('names no key by its text', async () => {
    await create({ name: 'Peculiar name', scopes: ['admin'] });
    const { body } = await api.call('GET /v1/admin-events?limit=200');
    expect(body).not.toContain('Peculiar');
  });

  it('has the events of standing holds, too, which concern no key', async () => {
    const json = { subject: { userId: PERSON }, reason: 'litigation' };
    const { id } = z
      .looseObject({ id: z.string() })
      .parse(JSON.parse((await api.call('POST /v1/holds', { json })).body));
    const { body } = await api.call('GET /v1/admin-events?limit=200');
    const held = z
      .object({ events: z.array(z.looseObject({ type: z.string(), hold_id: z.string().optional() })) })
      .parse(JSON.parse(body))
      .events.find((event) => event.hold_id === id);
    expect(held?.type).toBe('hold.created');
  });
});
