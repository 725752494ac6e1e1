import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { adoptAdminToken } from '../../src/app/create-api-key.ts';
import type { Store } from '../../src/app/ports.ts';
import type { ApiKey } from '../../src/app/ports/keys.ts';
import { revokeApiKey } from '../../src/app/revoke-api-key.ts';
import { rotateApiKey } from '../../src/app/rotate-api-key.ts';
import { encodeEvent } from '../../src/evidence/encode-event.ts';
import { hashToken, newId, newToken } from '../../src/ids.ts';
import { createPool } from '../../src/store/connection.ts';
import { createStore } from '../../src/store/store.ts';
import { startLethe } from '../support/lethe-process.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

/** One for all calls: the log's own key is sealed with it. */
const LETHE_MASTER_KEY = randomBytes(32).toString('base64');

let database: TestDatabase;
let pool: ReturnType<typeof createPool>;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.serviceUrl, max: 2, applicationName: 'keys' });
  store = createStore(pool);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** The command as an operator calls it. */
async function keys(...args: string[]): Promise<{ status: number | null; output: string }> {
  const lethe = startLethe(
    'keys',
    {
      DATABASE_URL: database.serviceUrl,
      LETHE_MASTER_KEY,
      OPENREPLAY_URL: 'http://127.0.0.1:9',
      OPENREPLAY_API_KEY: 'k',
    },
    { args },
  );
  return { status: await lethe.ended(), output: lethe.output() };
}

/** What a call of the API finds with this token. */
async function opened(token: string): Promise<ApiKey | undefined> {
  const limit = { requests: 1_000, perSeconds: 60 };
  const use = { tokenHash: hashToken(token), origin: 'test', keyLimit: limit, wrongKeyLimit: limit };
  return (await store.useApiKey(use)).key;
}
const tokenIn = (output: string) => /^lethe_[\w-]{43}$/m.exec(output)?.[0] ?? '';

describe('the keys command', () => {
  it('makes a key that opens, shows it without its token, rotates it, and revokes it', async () => {
    const created = await keys(
      ...[
        'create',
        '--name',
        'privacy team',
        '--scope',
        'requests:read',
        '--expires',
        '2999-01-01T00:00:00Z',
      ],
    );
    expect(created.status).toBe(0);
    const token = tokenIn(created.output);
    const key = await opened(token);
    expect(key).toMatchObject({ name: 'privacy team', scopes: ['requests:read'] });

    const listed = await keys('list');
    expect(listed.status).toBe(0);
    expect(listed.output).toMatch(
      /^ak_[0-9a-f]{32} {2}privacy team\n {4}created \S+, expires 2999-01-01, last used \S+; requests:read$/m,
    );
    expect(listed.output).not.toContain(token);

    const id = key?.id ?? '';
    const rotated = await keys('rotate', id, '--grace', '600');
    expect(rotated.status).toBe(0);
    expect(await opened(token)).toEqual(key);
    expect(await opened(tokenIn(rotated.output))).toEqual(key);

    expect((await keys('revoke', id)).status).toBe(0);
    expect(await opened(token)).toBeUndefined();
    expect(await opened(tokenIn(rotated.output))).toBeUndefined();
    expect(await keys('revoke', 'ak_1')).toEqual({
      status: 3,
      output: 'error: There is no API key with this id.\n',
    });
    const events = await store.listAdminEventBytes({ after: -1, limit: 10 });
    expect(events.map((bytes): unknown => JSON.parse(Buffer.from(bytes).toString()))).toMatchObject(
      ['created', 'rotated', 'revoked'].map((what) => ({
        type: `api_key.${what}`,
        actor: 'local',
        key_id: id,
      })),
    );
  });
});

describe('a token that lies in a file', () => {
  const adopt = (token: string) => adoptAdminToken({ store, newId, encodeEvent }, hashToken(token));
  const deps = () => ({ store, newToken, encodeEvent });

  it('becomes an admin key once, and does not come back when it was revoked', async () => {
    const { token } = newToken();
    expect([await adopt(token), await adopt(token)]).toEqual([true, false]);
    const key = await opened(token);
    expect(key).toMatchObject({ name: 'admin', scopes: ['admin'] });
    // The last admin key may be revoked by somebody on the machine itself.
    await revokeApiKey(deps(), key?.id ?? '', 'local');
    expect(await adopt(token)).toBe(false);
    expect(await opened(token)).toBeUndefined();
  });

  it('does not come back when it was replaced, however long ago', async () => {
    const { token } = newToken();
    await adopt(token);
    const keyId = (await opened(token))?.id ?? '';
    const latest = await rotateTwice(keyId);
    expect(await adopt(token)).toBe(false);
    expect(await opened(token)).toBeUndefined();
    expect(await opened(latest)).toMatchObject({ id: keyId });
  });

  async function rotateTwice(keyId: string): Promise<string> {
    await rotateApiKey(deps(), { keyId, graceSeconds: 0 }, 'local');
    return (await rotateApiKey(deps(), { keyId, graceSeconds: 0 }, 'local')).token;
  }
});
