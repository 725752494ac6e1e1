import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { lethe } from '../support/cli.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { queueBackends } from '../support/redis.ts';

let database: TestDatabase;
let env: Record<string, string>;
beforeAll(async () => {
  database = await createTestDatabase();
  env = {
    DATABASE_URL: database.connectionString,
    LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
    OPENREPLAY_URL: 'http://127.0.0.1:9',
    OPENREPLAY_API_KEY: 'k',
  };
});
afterAll(async () => {
  await database.drop();
});

const drills = async () => {
  const sql = "SELECT datname FROM pg_database WHERE datname LIKE 'lethe_drill_%'";
  return (await database.pool.query(sql)).rowCount;
};

it.each(queueBackends())('the drill loses what is in the queue on $name, and nobody', async (backend) => {
  const queue = backend.name === 'redis' ? { REDIS_URL: backend.redisUrl } : {};
  const { out } = await lethe(['doctor', '--drill'], { env: { ...env, ...queue } });
  const drill = out.slice(out.indexOf('drill:')).replaceAll(/\s+/g, ' ');
  expect(drill).toMatch(
    /^drill: The queue was emptied with \d+ jobs? in it; all 40 erasures .* were completed and verified\. $/,
  );
  expect(out).toMatch(/^ok +drill:/m);
  expect(await drills()).toBe(0);
});

it('the drill says that it could not be done', async () => {
  const url = new URL(database.connectionString);
  url.username = 'nobody';
  const { status, out } = await lethe(['doctor', '--drill'], { env: { ...env, DATABASE_URL: url.href } });
  expect(status).toBe(1);
  expect(out).toMatch(/^fail +drill: The drill could not be done/m);
});
