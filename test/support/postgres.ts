import { randomBytes } from 'node:crypto';
import { mkdtemp, chmod } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';

export interface TestDatabase {
  /** For what a test looks at and changes by itself: as the administrator. */
  readonly connectionString: string;
  /** For the service, which has no more rights than in production; in an empty database none at all. */
  readonly serviceUrl: string;
  /** For migrations of a database that was set up. */
  readonly migrationUrl: string;
  /** As the administrator. */
  readonly pool: pg.Pool;
  /** Closes the pool and drops the database. Fails when a connection was left open by the test. */
  readonly drop: () => Promise<void>;
}

const groundVariables = z.object({
  LETHE_TEST_ADMIN_URL: z.string(),
  LETHE_TEST_SERVICE_URL: z.string(),
  LETHE_TEST_MIGRATION_URL: z.string(),
  LETHE_TEST_RUN: z.string(),
  LETHE_TEST_TEMPLATE: z.string(),
  LETHE_TEST_FOLDER: z.string(),
});
const NO_GROUND =
  'there is no test database: only suites in test/integration, test/crash and test/browser have one';

/** SQLSTATE object_in_use: somebody is connected to the template, or still to the database to drop. */
const IN_USE = '55006';
const ATTEMPTS = 40;
const PAUSE_MS = 100;

/** A new database with all migrations and BullMQ's schema, a copy of the run's template. Takes some 100 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { LETHE_TEST_TEMPLATE: template } = readGround();
  return createFrom(template);
}

/** A new database with nothing in it. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return createFrom('template0');
}

/** A new folder of a test's own, removed after the run; Postgres started in it is stopped then, too. */
export async function createTestFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(readGround().LETHE_TEST_FOLDER, 'folder-'));
  // As root, Postgres runs as another user and has to get in.
  await chmod(folder, 0o755);
  return folder;
}

async function createFrom(template: string): Promise<TestDatabase> {
  const ground = readGround();
  const { LETHE_TEST_ADMIN_URL: adminUrl, LETHE_TEST_RUN: run } = ground;
  const name = `lethe_test_${run}_${randomBytes(6).toString('hex')}`;
  await createWhenFree(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const connectionString = urlOf(adminUrl, name);
  const pool = new pg.Pool({ connectionString, max: 10 });
  const drop = async (): Promise<void> => {
    await pool.end();
    await dropDatabase(adminUrl, name);
  };
  const serviceUrl = urlOf(ground.LETHE_TEST_SERVICE_URL, name);
  const migrationUrl = urlOf(ground.LETHE_TEST_MIGRATION_URL, name);
  return { connectionString, serviceUrl, migrationUrl, pool, drop };
}

function urlOf(login: string, database: string): string {
  const url = new URL(login);
  url.pathname = `/${database}`;
  return url.href;
}

async function createWhenFree(adminUrl: string, sql: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await withAdmin(adminUrl, (client) => client.query(sql));
      return;
    } catch (error) {
      if (!isInUse(error) || attempt === ATTEMPTS) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

const openRows = z.array(z.object({ application_name: z.string(), query: z.string() }));

/** Postgres itself waits 5 s for connections that are about to end; one that is there after was forgotten. */
async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await withAdmin(adminUrl, async (client) => {
    try {
      await client.query(`DROP DATABASE ${name}`);
    } catch (error) {
      if (!isInUse(error)) throw error;
      const sql = 'SELECT application_name, query FROM pg_stat_activity WHERE datname = $1';
      const left = openRows.parse((await client.query(sql, [name])).rows);
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      const list = left.map((row) => `${row.application_name}: ${row.query}`).join('\n');
      throw new Error(`the test left ${left.length} connection(s) to its database open:\n${list}`, {
        cause: error,
      });
    }
  });
}

async function withAdmin<T>(adminUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === IN_USE;
}

function readGround(): z.infer<typeof groundVariables> {
  const parsed = groundVariables.safeParse(process.env);
  if (!parsed.success) throw new Error(NO_GROUND);
  return parsed.data;
}
