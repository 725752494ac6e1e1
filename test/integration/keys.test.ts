import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Store } from '../../src/app/ports.ts';
import { hashToken, newId, newToken } from '../../src/ids.ts';
import { createPool } from '../../src/store/connection.ts';
import { createStore } from '../../src/store/store.ts';
import { startLethe } from '../support/lethe-process.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let pool: ReturnType<typeof createPool>;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.connectionString, max: 2, applicationName: 'keys' });
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
      DATABASE_URL: database.connectionString,
      LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
      OPENREPLAY_URL: 'http://127.0.0.1:9',
      OPENREPLAY_API_KEY: 'k',
    },
    { args },
  );
  return { status: await lethe.ended(), output: lethe.output() };
}

const someKey = () => ({
  id: newId('ak'),
  name: 'some',
  scopes: ['admin'],
  tokenHash: hashToken(newToken()),
});

describe('the keys command', () => {
  it('makes a key that opens, shows it without its token, and revokes it', async () => {
    const created = await keys('create', '--name', 'privacy team', '--scope', 'requests:read');
    expect(created.status).toBe(0);
    const token = /^lethe_[\w-]{43}$/m.exec(created.output)?.[0] ?? '';
    const opened = await store.findApiKey(hashToken(token));
    expect(opened).toMatchObject({ name: 'privacy team', scopes: ['requests:read'] });

    const listed = await keys('list');
    expect(listed.status).toBe(0);
    expect(listed.output).toMatch(
      /^ak_[0-9a-f]{32}\tprivacy team\trequests:read\tcreated \S+Z\tlast used \S+Z$/m,
    );
    expect(listed.output).not.toContain(token);

    const id = opened?.id ?? '';
    expect((await keys('revoke', id)).status).toBe(0);
    expect(await store.findApiKey(hashToken(token))).toBeUndefined();
    expect(await keys('revoke', id)).toEqual({ status: 1, output: `There is no key ${id} to revoke.\n` });
  });

  it.each([
    [[], ''],
    [['create', '--name', 'x', '--scope', 'everything'], 'no such scope: everything'],
    [['list', '--name', 'x'], '--name and --scope belong to create'],
  ])('says how it is used when called with %j', async (args, said) => {
    const { status, output } = await keys(...args);
    expect(status).toBe(64);
    expect(output).toContain(said);
    expect(output).toContain('usage: npm run keys');
  });
});

describe('a key in the store', () => {
  it('is not made twice for one token, and a revoked one is not brought back', async () => {
    const key = someKey();
    expect(await store.insertApiKey(key)).toBe(true);
    expect(await store.insertApiKey({ ...key, id: newId('ak') })).toBe(false);
    expect(await store.revokeApiKey(key.id)).toBe(true);
    expect(await store.insertApiKey({ ...key, id: newId('ak') })).toBe(false);
    expect(await store.findApiKey(key.tokenHash)).toBeUndefined();
  });

  it('tells when it was used last, and when it was revoked', async () => {
    const key = someKey();
    await store.insertApiKey(key);
    const find = async () => (await store.listApiKeys()).find(({ id }) => id === key.id);
    expect(await find()).toMatchObject({ name: 'some', lastUsedAt: null, revokedAt: null });
    await store.findApiKey(key.tokenHash);
    expect(await find()).toMatchObject({ lastUsedAt: expect.anything(), revokedAt: null });
    await store.revokeApiKey(key.id);
    expect(await find()).toMatchObject({ revokedAt: expect.anything() });
  });
});
