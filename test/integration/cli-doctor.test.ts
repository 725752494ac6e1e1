import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { jsonLines, lethe, type CliWorld } from '../support/cli.ts';
import { startHttpServer } from '../support/http-server.ts';
import { startLethe } from '../support/lethe-process.ts';
import {
  createEmptyDatabase,
  createTestDatabase,
  createTestFolder,
  type TestDatabase,
} from '../support/postgres.ts';
import { findRedisProgram, startRedisServer, type RedisServer } from '../support/redis-server.js';
import { PROJECT } from '../support/stage.ts';

const HOUR_MS = 3_600_000;
/** Stands in every secret here: no output may hold it. */
const SECRET = 'hush';

let database: TestDatabase;
let sandbox: Sandbox;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = createSandbox({ personality: 'real', token: `${SECRET}-key` });
  sandbox.addProject(PROJECT);
  env = {
    DATABASE_URL: database.serviceUrl,
    LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
    OPENREPLAY_URL: await sandbox.start(),
    OPENREPLAY_API_KEY: `${SECRET}-key`,
  };
});
afterAll(async () => {
  await sandbox.stop();
  await database.drop();
});

const report = z.object({
  ok: z.boolean(),
  checks: z.array(
    z.object({
      part: z.string(),
      verdict: z.enum(['ok', 'warn', 'fail']),
      saw: z.string(),
      todo: z.string().nullable(),
    }),
  ),
});

/** What doctor says as JSON. Every check that is not ok must say what to do, and no secret may be told. */
async function doctor(change: Record<string, string> = {}, world: CliWorld = {}) {
  const { status, out } = await lethe(['doctor', '--json'], { ...world, env: { ...env, ...change } });
  expect(out).not.toContain(SECRET);
  const { ok, checks } = report.parse(jsonLines(out)[0]);
  for (const { verdict, todo } of checks) expect(todo === null).toBe(verdict === 'ok');
  expect(ok).toBe(status === 0);
  const of = (part: string) =>
    checks
      .filter((check) => check.part === part)
      .map(({ verdict, saw, todo }) => `${verdict}: ${saw}${todo === null ? '' : ` ${todo}`}`)
      .join('\n');
  return { status, of, verdicts: checks.map(({ part, verdict }) => `${part} ${verdict}`) };
}

describe('where all is well', () => {
  it('says so of every part, a line each, and ends with status 0', async () => {
    const { status, out } = await lethe(['doctor'], { env });
    expect(status).toBe(0);
    expect(out).toMatch(/^ok {4}database: Postgres \d+/m);
    for (const part of ['config', 'schema', 'rights', 'queue', 'connection default', 'clock']) {
      expect(out).toMatch(new RegExp(`^ok {4}${part}: [A-Z]`, 'm'));
    }
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('configuration', () => {
  it('names every mistake, looks at nothing else, and ends with status 78', async () => {
    const { status, verdicts, of } = await doctor({ LETHE_MASTER_KEY: SECRET, OPENREPLAY_URL: 'ftp://x' });
    expect(status).toBe(78);
    expect(verdicts).toEqual(['config fail', 'config fail']);
    expect(of('config')).toContain('LETHE_MASTER_KEY is wrong. Expected');
    expect(of('config')).toContain('OPENREPLAY_URL is wrong. Expected');
  });
});

describe('OpenReplay', () => {
  const said = async (change: Record<string, string>) => {
    const { status, of, verdicts } = await doctor(change);
    expect(status).toBe(1);
    expect(verdicts.filter((verdict) => verdict.endsWith('fail'))).toEqual(['connection default fail']);
    return of('connection default');
  };

  it('a wrong key', async () => {
    expect(await said({ OPENREPLAY_API_KEY: `${SECRET}-wrong` })).toMatch(
      /refuses the API key \(401\).*OPENREPLAY_API_KEY/,
    );
  });

  it('a wrong URL: nothing there', async () => {
    const server = await startHttpServer(() => undefined);
    await server.close();
    expect(await said({ OPENREPLAY_URL: server.origin })).toContain(
      `Nothing answers at ${server.origin}. Correct url`,
    );
  });

  it.each([
    ['a page', 200, '<html></html>'],
    ['JSON of something else', 200, '{"status":"up"}'],
    ['no such path', 404, ''],
    ['a refusal', 405, ''],
  ])('a wrong URL: something there that is not OpenReplay (%s)', async (_what, status, body) => {
    const server = await startHttpServer((_req, res) => {
      res.writeHead(status).end(body);
    });
    const text = await said({ OPENREPLAY_URL: `${server.origin}/v2` });
    await server.close();
    expect(text).toContain(
      `Something answers at ${server.origin}, but it is not OpenReplay's API (${status})`,
    );
    expect(text).toContain('/api/v2');
  });

  it('a wrong URL: it redirects', async () => {
    sandbox.script('listProjects', 'redirected');
    expect(await said({})).toContain('redirects (302)');
  });

  it('projects of the configuration that it does not have', async () => {
    const folder = await createTestFolder();
    await writeYaml(folder, 'projects: [gone]');
    const { of } = await doctor({ LETHE_CONFIG: path.join(folder, 'lethe.yaml') });
    expect(of('connection default')).toMatch(/^fail: .* does not have these projects .*: gone\./);
  });
});

async function writeYaml(folder: string, line: string): Promise<void> {
  const connection = `connections:\n  - name: default\n    url: \${OPENREPLAY_URL}\n    apiKey: \${OPENREPLAY_API_KEY}\n    ${line}\n`;
  await writeFile(path.join(folder, 'lethe.yaml'), connection);
}

describe('database', () => {
  it('nothing listens, and no password is told', async () => {
    const { status, of } = await doctor({ DATABASE_URL: `postgres://lethe:${SECRET}@127.0.0.1:1/lethe` });
    expect(status).toBe(1);
    expect(of('database')).toMatch(/^fail: Nothing listens at 127.0.0.1:1\/lethe. Start Postgres/);
  });

  it('a wrong password, and a database that is not there', async () => {
    const wrong = new URL(database.serviceUrl);
    wrong.password = SECRET;
    expect((await doctor({ DATABASE_URL: wrong.href })).of('database')).toContain(
      'refuses the user or the password',
    );
    const gone = new URL(database.serviceUrl);
    gone.pathname = '/gone';
    expect((await doctor({ DATABASE_URL: gone.href })).of('database')).toContain('has no such database');
  });

  it('read-only', async () => {
    const own = await createTestDatabase();
    const name = new URL(own.connectionString).pathname.slice(1);
    await own.pool.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    const { status, of } = await doctor({ DATABASE_URL: own.connectionString });
    await own.drop();
    expect(status).toBe(1);
    expect(of('database')).toMatch(
      /^fail: .* is read-only: default_transaction_read_only is on, set by database/,
    );
    expect(of('schema')).toMatch(/^ok/);
  });

  it('behind in migrations: a warning, as the next start applies them; nothing is changed', async () => {
    const own = await createEmptyDatabase();
    const { status, of } = await doctor({ DATABASE_URL: own.connectionString });
    const tables = await own.pool.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
    await own.drop();
    expect(status).toBe(0);
    expect(of('schema')).toMatch(
      /^warn: The database is empty: \d+ of \d+ migrations are still to be applied/,
    );
    expect(tables.rowCount).toBe(0);
  });

  it('behind in migrations, and nobody who may apply them: a failure, unless another login is there for it', async () => {
    const own = await createEmptyDatabase();
    const alone = await doctor({ DATABASE_URL: own.serviceUrl });
    const migrating = { DATABASE_URL: own.serviceUrl, LETHE_MIGRATION_DATABASE_URL: own.migrationUrl };
    const helped = await doctor(migrating);
    await own.drop();
    expect(alone.status).toBe(1);
    expect(alone.of('schema')).toMatch(/may not do that\. Run `npm run migrate` with LETHE_MIGRATION/);
    expect(helped.of('schema')).toMatch(/^warn: .* The next start of Lethe applies them/);
  });

  it('a schema newer than the program, and one that was changed', async () => {
    const own = await createTestDatabase();
    const add = "INSERT INTO lethe_migrations (version, name, sha256) VALUES (9999, '9999_future', 'x')";
    await own.pool.query(add);
    const newer = await doctor({ DATABASE_URL: own.connectionString });
    await own.pool.query('DELETE FROM lethe_migrations WHERE version = 9999');
    await own.pool.query("UPDATE lethe_migrations SET sha256 = 'x' WHERE version = 1");
    const changed = await doctor({ DATABASE_URL: own.connectionString });
    await own.drop();
    expect(newer.status).toBe(1);
    expect(newer.of('schema')).toContain('The schema is newer than this program');
    expect(changed.of('schema')).toContain('MIGRATION_CHANGED');
  });

  it('an embedded one that was never made is left so', async () => {
    const folder = await createTestFolder();
    const { of } = await doctor({ DATABASE_URL: '', LETHE_DATA_DIR: path.join(folder, 'data') });
    expect(of('database')).toMatch(/^warn: There is no embedded Postgres in .* yet/);
    expect(
      (await doctor({ DATABASE_URL: '', LETHE_DATA_DIR: path.join(folder, 'data') })).of('database'),
    ).toMatch(/^warn/);
  });
});

describe('rights', () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createTestDatabase();
  });
  afterAll(() => own.drop());

  const rights = async (change: Record<string, string> = {}) => {
    const { status, of } = await doctor({ DATABASE_URL: own.serviceUrl, ...change });
    return { status, text: of('rights') };
  };
  const FINE = {
    status: 0,
    text: expect.stringMatching(/^ok: The service \(lethe_service_\w+\) can add to the \d+ audit tables/),
  };
  const service = () => new URL(own.serviceUrl).username;
  /** What stands after the sentence is what an administrator can run. */
  const mend = (text: string) =>
    own.pool.query(Array.from(text.matchAll(/(?:REVOKE|ALTER) [^;]+;/g), ([command]) => command).join('\n'));

  it('as they should be', async () => {
    expect(await rights()).toEqual(FINE);
  });

  it('of an administrator, of who may become the owner, and of the owner: a warning each, nothing more', async () => {
    const said = async (url: string) => (await rights({ DATABASE_URL: url })).text;
    expect(await said(own.connectionString)).toMatch(
      /^warn: [^\n]* a superuser, who can .*roles\.sql[^\n]*$/,
    );
    expect(await said(own.migrationUrl)).toMatch(
      /^warn: [^\n]* may become lethe_owner_\w+, who owns [^\n]*$/,
    );
    const { rows } = await own.pool.query(
      "SELECT relowner::regrole AS owner FROM pg_class WHERE relname = 'admin_events'",
    );
    const [{ owner }] = z.tuple([z.object({ owner: z.string() })]).parse(rows);
    await own.pool.query(`ALTER TABLE admin_events OWNER TO ${service()}`);
    expect(await said(own.serviceUrl)).toMatch(
      /^warn: [^\n]* who owns the audit tables [^\n]*roles\.sql[^\n]*$/,
    );
    await own.pool.query(
      `ALTER TABLE admin_events OWNER TO ${owner}; GRANT SELECT, INSERT ON admin_events TO ${service()}`,
    );
    expect(await rights()).toEqual(FINE);
  });

  it('on tables and beyond them that are not needed: warnings, whose commands mend it', async () => {
    await own.pool
      .query(`GRANT UPDATE, TRUNCATE ON audit_events TO ${service()}; GRANT UPDATE (type) ON admin_events TO PUBLIC;
      GRANT CREATE ON SCHEMA public TO ${service()}; ALTER ROLE ${service()} CREATEDB`);
    const { status, text } = await rights();
    await mend(text);
    expect(status).toBe(0);
    expect(text).toMatch(/^warn: .* has UPDATE, TRUNCATE on audit_events\. REVOKE/m);
    expect(text).toMatch(/^warn: .* has UPDATE on admin_events\. REVOKE/m);
    expect(text).toMatch(/^warn: .* more than it needs: CREATEDB, create tables\./m);
    expect(await rights()).toEqual(FINE);
  });

  it('with the login that migrates beside them', async () => {
    const { text } = await rights({ LETHE_MIGRATION_DATABASE_URL: own.migrationUrl });
    expect(text).toMatch(/^warn: The service is given the login that migrates, too\./);
  });

  it.each([
    ['off', 'ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only', 'UPDATE, DELETE'],
    ['not always on', 'ALTER TABLE audit_events ENABLE TRIGGER audit_events_no_truncate', 'TRUNCATE'],
  ])('protected by a trigger that is %s: a failure, whose command mends it', async (_what, sql, changes) => {
    await own.pool.query(sql);
    const { status, text } = await rights();
    await mend(text);
    expect(status).toBe(1);
    expect(text).toContain(`fail: Nothing refuses ${changes} on audit_events in every session`);
    expect(await rights()).toEqual(FINE);
  });

  it('with a trigger gone, or one that lets some changes through: a failure', async () => {
    await own.pool.query(`DROP TRIGGER admin_events_append_only ON admin_events;
      CREATE TRIGGER partial BEFORE UPDATE OF seq OR DELETE ON admin_events
        FOR EACH ROW WHEN (OLD.seq > 9) EXECUTE FUNCTION refuse_change();
      ALTER TABLE admin_events ENABLE ALWAYS TRIGGER partial;
      DROP TRIGGER admin_events_no_truncate ON admin_events`);
    const { status, text } = await rights();
    expect(status).toBe(1);
    expect(text).toMatch(/^fail: Nothing refuses UPDATE, DELETE, TRUNCATE on admin_events .*Restore it/m);
  });
});

const withRedis = findRedisProgram() === undefined ? describe.skip : describe;

withRedis('queue', () => {
  let redis: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    redis = await startRedisServer({ directory: path.join(await createTestFolder(), 'redis') });
    admin = new Redis(redis.url, { disconnectTimeout: 50 });
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });
  const queue = async (url = redis.url) => {
    const { status, of } = await doctor({ REDIS_URL: url });
    return { status, text: of('queue') };
  };

  it('as it should be', async () => {
    expect(await queue()).toEqual({
      status: 0,
      text: expect.stringMatching(/^ok: Redis \S+ answers at .* keeps its data/),
    });
  });

  it('with eviction, and without persistence: warnings', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await admin.config('SET', 'appendonly', 'no');
    const { status, text } = await queue();
    expect(status).toBe(0);
    expect(text).toMatch(
      /^warn: .* may evict keys \(maxmemory-policy allkeys-lru\).*Set maxmemory-policy noeviction\.$/m,
    );
    expect(text).toMatch(/^warn: .* keeps nothing on disk.*Set appendonly yes\.$/m);
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await admin.config('SET', 'save', '3600 1');
    expect((await queue()).text).toMatch(/^ok: .* keeps snapshots/);
  });

  it('as a replica, which takes no jobs', async () => {
    await admin.replicaof('127.0.0.1', 1);
    const { status, text } = await queue();
    await admin.replicaof('NO', 'ONE');
    expect({ status, text }).toEqual({ status: 1, text: expect.stringContaining('is a replica') });
  });

  it('with another password, which is not told', async () => {
    await admin.config('SET', 'requirepass', 'right');
    const { status, text } = await queue(redis.url.replace('//', `//:${SECRET}@`));
    const without = await queue();
    await admin.config('SET', 'requirepass', '');
    expect({ status, text }).toEqual({
      status: 1,
      text: expect.stringContaining('refuses the user or the password'),
    });
    expect(without.text).toContain('refuses the user or the password');
  });

  it('stopped', async () => {
    admin.disconnect();
    await redis.stop();
    const { status, text } = await queue();
    expect(status).toBe(1);
    expect(text).toContain(
      `Redis is stopped, or elsewhere: nothing listens at 127.0.0.1:${redis.port}. Start Redis`,
    );
  });

  it('something that is not Redis', async () => {
    const server = await startHttpServer((_req, res) => res.end());
    const { text } = await queue(`redis://127.0.0.1:${server.port}`);
    await server.close();
    expect(text).toContain('cannot be used as Redis');
  });
});

describe('clocks', () => {
  it('ours is wrong where database and OpenReplay agree with each other', async () => {
    const { status, of } = await doctor({}, { now: () => Date.now() - 2 * HOUR_MS });
    expect(status).toBe(1);
    expect(of('clock')).toMatch(/^fail: The clock of this machine is wrong: the database is 2 h ahead of/);
  });

  it('that of OpenReplay is wrong, seen by a process of its own', async () => {
    const late = createSandbox({
      personality: 'real',
      token: `${SECRET}-key`,
      now: () => Date.now() - HOUR_MS,
    });
    late.addProject(PROJECT);
    const process = startLethe('lethe', { ...env, OPENREPLAY_URL: await late.start() }, { args: ['doctor'] });
    expect(await process.ended()).toBe(1);
    await late.stop();
    expect(process.output()).toMatch(
      /^fail {2}clock: .*OpenReplay\s+\(default\)\s+is\s+(1 h( \d s)?|59 min 5\d s)\s+behind/m,
    );
  });
});
