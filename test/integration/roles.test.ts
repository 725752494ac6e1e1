import { randomBytes } from 'node:crypto';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import { migrate } from '../../db/migrate.ts';
import { findMigrationFolder } from '../../db/migration-files.ts';
import { setUpRoles, type RoleNames } from '../../db/set-up-roles.ts';
import { prepareQueue } from '../../src/prepare-queue.ts';
import type { Payload } from '../../src/queue/payload.ts';
import { openPublisher, wipeQueue } from '../../src/queue/queue-backend.ts';
import {
  createEmptyDatabase,
  createTestDatabase,
  createTestFolder,
  type TestDatabase,
} from '../support/postgres.ts';

const userOf = (url: string): string => new URL(url).username;

let database: TestDatabase;
let service = '';
let migrator = '';
let owner = '';
let tables: readonly string[] = [];
let appendOnly: readonly string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  service = userOf(database.serviceUrl);
  migrator = userOf(database.migrationUrl);
  [owner = ''] = await names(
    "SELECT nspowner::regrole::text AS name FROM pg_namespace WHERE nspname = 'public'",
  );
  tables = await names(
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
  );
  appendOnly = await names(
    `SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger t JOIN pg_proc f ON f.oid = tgfoid
     WHERE proname = 'refuse_change'`,
  );
});
afterAll(() => database.drop());

async function names(sql: string, values: readonly string[] = [], db = database.pool): Promise<string[]> {
  const { rows } = await db.query(sql, [...values]);
  return z
    .array(z.object({ name: z.string() }))
    .parse(rows)
    .map(({ name }) => name);
}

/** Runs `work` on a connection of its own. */
async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** What Postgres says to a statement: SQLSTATE and message, or that it was done. Nothing stays of it. */
async function said(client: pg.Client, sql: string): Promise<string> {
  await client.query('SAVEPOINT before');
  try {
    await client.query(sql);
    return 'done';
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    return `${error.code ?? ''} ${error.message}`;
  } finally {
    await client.query('ROLLBACK TO before');
  }
}

/** What Postgres says to each statement of this login. */
const saidTo = (url: string, statements: readonly string[]): Promise<string[][]> =>
  connected(url, async (client) => {
    await client.query('BEGIN');
    const answers: string[][] = [];
    for (const sql of statements) answers.push([sql, await said(client, sql)]);
    return answers;
  });

const rightsRows = z.array(z.object({ name: z.string(), rights: z.array(z.string()) }));

/** What a role may do on each of our tables, on single columns of it included. */
async function rightsOf(role: string, db = database.pool): Promise<Map<string, string[]>> {
  const sql = `SELECT relname AS name, ARRAY(
      SELECT privilege FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege
      WHERE has_table_privilege($1, c.oid, privilege)
        OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, c.oid, privilege)
    ) AS rights
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`;
  const rows = rightsRows.parse((await db.query(sql, [role])).rows);
  return new Map(rows.map(({ name, rights }) => [name, rights]));
}

const onEach = (rights: (table: string) => string[]) =>
  new Map(tables.map((table) => [table, rights(table)]));

function needed(table: string): string[] {
  if (table === 'lethe_migrations') return ['SELECT'];
  return appendOnly.includes(table) ? ['SELECT', 'INSERT'] : ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
}

describe('the rights on each table', () => {
  it('are what the service needs, and none for who migrates or for anybody', async () => {
    expect(appendOnly).toEqual(expect.arrayContaining(['admin_events', 'audit_events']));
    expect(tables).toEqual(expect.arrayContaining(['erasure_requests', 'lethe_migrations', 'work']));
    expect(await rightsOf(service)).toEqual(onEach(needed));
    expect(await rightsOf(migrator)).toEqual(onEach(() => []));
    expect(await rightsOf('public')).toEqual(onEach(() => []));
  });

  it('belong to a role that nobody can log in as', async () => {
    const sql = `SELECT DISTINCT relowner::regrole::text AS name FROM pg_class
      WHERE relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)
      UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace`;
    expect(await names(sql)).toEqual([owner]);
    const logins = await names('SELECT rolname AS name FROM pg_roles WHERE rolcanlogin');
    expect(logins).not.toContain(owner);
    expect(logins).toContain(migrator);
  });

  it('follow from what a table is when a later migration makes it, and are put right when they were changed', async () => {
    const own = await createTestDatabase();
    const folder = await createTestFolder();
    await cp(findMigrationFolder(), folder, { recursive: true });
    await writeFile(
      path.join(folder, '9999_future.sql'),
      `CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY, n serial, words text);
       CREATE TABLE seals (n int);
       CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE ON seals FOR EACH ROW EXECUTE FUNCTION refuse_change();`,
    );
    await own.pool.query(`GRANT ALL ON audit_events TO ${service} WITH GRANT OPTION;
      REVOKE ALL ON work FROM ${service}; GRANT UPDATE (type) ON admin_events TO ${service}`);

    await migrate(own.migrationUrl, { directory: folder });

    const rights = await rightsOf(service, own.pool);
    const [inserted] = await saidTo(own.serviceUrl, ["INSERT INTO notes (words) VALUES ('x')"]);
    await own.drop();
    expect(rights).toEqual(onEach(needed).set('notes', needed('notes')).set('seals', ['SELECT', 'INSERT']));
    expect(inserted?.[1]).toBe('done');
  });
});

/** Statements that would change a row of a table, or take rows away, each with what a trigger calls it. */
const changesOf = (table: string, column: string): readonly (readonly [sql: string, operation: string])[] => [
  [`UPDATE ${table} SET ${column} = ${column}`, 'UPDATE'],
  [`DELETE FROM ${table}`, 'DELETE'],
  [`TRUNCATE ${table}`, 'TRUNCATE'],
  [`TRUNCATE ${table} CASCADE`, 'TRUNCATE'],
  [`MERGE INTO ${table} USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE`, 'DELETE'],
  [
    `MERGE INTO ${table} USING (SELECT 1) AS one ON true WHEN MATCHED THEN UPDATE SET ${column} = NULL`,
    'UPDATE',
  ],
  [`WITH gone AS (DELETE FROM ${table} RETURNING 1) SELECT count(*) FROM gone`, 'DELETE'],
];
const conflictOf = (table: string, column: string, target: string) =>
  `INSERT INTO ${table} DEFAULT VALUES ON CONFLICT ${target} DO UPDATE SET ${column} = NULL`;

/** A column that may be set: neither generated nor an identity, and without a default. */
async function columnOf(table: string): Promise<string> {
  const sql = `SELECT quote_ident(attname) AS name FROM pg_attribute
    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND NOT atthasdef
    ORDER BY attnum LIMIT 1`;
  const [name] = await names(sql, [table]);
  if (name === undefined) throw new Error(`${table} has no plain column`);
  return name;
}

/** A row in a table of which nothing is known: without its constraints an empty one will do. */
const ROW_IN = (table: string, column: string) => `
  DO $$
  DECLARE thing record;
  BEGIN
    FOR thing IN SELECT conname FROM pg_constraint
      WHERE conrelid = '${table}'::regclass AND contype IN ('c', 'f', 'p', 'u', 'x')
    LOOP EXECUTE format('ALTER TABLE ${table} DROP CONSTRAINT %I CASCADE', thing.conname); END LOOP;
    FOR thing IN SELECT attname FROM pg_attribute
      WHERE attrelid = '${table}'::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND attidentity = ''
    LOOP EXECUTE format('ALTER TABLE ${table} ALTER COLUMN %I DROP NOT NULL', thing.attname); END LOOP;
  END $$;
  CREATE UNIQUE INDEX ON ${table} (${column}) NULLS NOT DISTINCT;
  INSERT INTO ${table} DEFAULT VALUES`;

describe('on each append-only table', () => {
  it('the service may add and read, and nothing else', async () => {
    for (const table of appendOnly) {
      const column = await columnOf(table);
      const refused = [
        ...changesOf(table, column).map(([sql]) => sql),
        conflictOf(table, column, `ON CONSTRAINT ${table}_pkey`),
        `SELECT 1 FROM ${table} FOR UPDATE`,
        `CREATE TRIGGER silence BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
      ];
      const permission = `42501 permission denied for table ${table}`;
      expect(await saidTo(database.serviceUrl, refused)).toEqual(refused.map((sql) => [sql, permission]));
      const ofTheOwner = [
        `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
        `ALTER TABLE ${table} ADD COLUMN more int`,
        `DROP TRIGGER ${table}_append_only ON ${table}`,
        `DROP TABLE ${table}`,
        `CREATE RULE silence AS ON INSERT TO ${table} DO INSTEAD NOTHING`,
      ];
      const ownership = expect.stringMatching(/^42501 must be owner of /);
      expect(await saidTo(database.serviceUrl, ofTheOwner)).toEqual(
        ofTheOwner.map((sql) => [sql, ownership]),
      );
      const reading = [`SELECT * FROM ${table}`];
      expect(await saidTo(database.serviceUrl, reading)).toEqual(reading.map((sql) => [sql, 'done']));
    }
  });

  it('the owner, and a superuser with session_replication_role = replica, are refused every change', async () => {
    for (const table of appendOnly) {
      const column = await columnOf(table);
      const changes = [
        ...changesOf(table, column),
        [conflictOf(table, column, `(${column})`), 'UPDATE'] as const,
      ];
      await connected(database.connectionString, async (client) => {
        await client.query(`BEGIN; ${ROW_IN(table, column)}`);
        for (const become of [`LOCAL ROLE ${owner}`, 'LOCAL session_replication_role = replica']) {
          await client.query(`SAVEPOINT somebody; SET ${become}`);
          for (const [sql, operation] of changes)
            expect([become, sql, await said(client, sql)]).toEqual([
              become,
              sql,
              `42501 ${table} is append-only: ${operation} refused`,
            ]);
          await client.query('ROLLBACK TO somebody');
        }
      });
    }
  });
});

it("the service's role becomes nobody else, switches nothing off, and makes nothing", async () => {
  const statements = [
    `SET ROLE ${owner}`,
    `SET ROLE ${migrator}`,
    'SET session_replication_role = replica',
    'CREATE TABLE public.audit_events_2 ()',
    'CREATE SCHEMA forged',
    'ALTER FUNCTION refuse_change() RENAME TO accept_change',
    'DROP SCHEMA public CASCADE',
    'CREATE ROLE another SUPERUSER',
    "INSERT INTO lethe_migrations VALUES (9999, '9999_forged', '')",
  ];
  const refusal = expect.stringMatching(/^42501 (permission denied|must be owner)/);
  expect(await saidTo(database.serviceUrl, statements)).toEqual(statements.map((sql) => [sql, refusal]));
});

describe('a login that migrates', () => {
  const toDrop: TestDatabase[] = [];
  const roles: string[] = [];
  afterEach(async () => {
    for (const one of toDrop.splice(0)) await one.drop();
    // Whoever made roles comes first here, and cannot go before they have.
    for (const role of roles.splice(0).toReversed()) await database.pool.query(`DROP ROLE IF EXISTS ${role}`);
  });

  const empty = async (): Promise<TestDatabase> => {
    const made = await createEmptyDatabase();
    toDrop.push(made);
    return made;
  };
  const nameOf = (what: string): string => {
    const name = `lethe_${what}_${randomBytes(6).toString('hex')}`;
    roles.push(name);
    return name;
  };
  const rolesOfTest = (): RoleNames => {
    const [serviceName, migratorName, ownerName] = [nameOf('service'), nameOf('migrator'), nameOf('owner')];
    return { service: serviceName, migrator: migratorName, owner: ownerName };
  };

  /** A login of its own that owns the database, as an operator makes one. */
  async function ownerOf(own: TestDatabase, attributes = ''): Promise<string> {
    const login = nameOf('old');
    const url = new URL(own.connectionString);
    await own.pool.query(`CREATE ROLE ${login} LOGIN ${attributes} PASSWORD 'old';
      ALTER DATABASE ${url.pathname.slice(1)} OWNER TO ${login}`);
    [url.username, url.password] = [login, 'old'];
    return url.href;
  }

  const QUEUE = 'migrating';
  const JOB: Payload = { kind: 'poll', work: [{ id: '1', lease: '1' }] };
  /** BullMQ makes a sequence for the queue. */
  async function publish(connectionString: string): Promise<void> {
    const publisher = await openPublisher({ kind: 'postgres', connectionString }, QUEUE, {
      onError: () => undefined,
    });
    await publisher.publish([JOB]);
    await publisher.close();
  }
  /** BullMQ drops the sequence. */
  const wipe = (connectionString: string) => wipeQueue({ kind: 'postgres', connectionString }, QUEUE);

  const NOTHING = { applied: [] };
  const refusal = (what: string) => ({
    code: 'MIGRATION_NOT_PERMITTED',
    message: expect.stringMatching(new RegExp(`^lethe_\\w+ may not migrate .*${what}.*npm run migrate`)),
  });

  it('makes everything as the owner, an administrator too; the service works with it, and says what to run as long as something is to be done', async () => {
    const own = await empty();
    const set = rolesOfTest();
    const { serviceUrl, migrationUrl } = await setUpRoles(own.connectionString, set);
    await expect(migrate(serviceUrl)).rejects.toMatchObject(refusal('from 0001_erasure on'));
    await migrate(own.connectionString);
    await expect(migrate(migrationUrl)).resolves.toEqual(NOTHING);
    await expect(migrate(serviceUrl)).resolves.toEqual(NOTHING);
    await expect(prepareQueue(serviceUrl)).rejects.toMatchObject(refusal("the queue's tables"));
    await prepareQueue(migrationUrl);
    await prepareQueue(serviceUrl);
    await publish(serviceUrl);
    expect(await wipe(serviceUrl)).toBe(1);
    const owners = `SELECT DISTINCT relowner::regrole::text AS name FROM pg_class
      WHERE relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)`;
    expect(await names(owners, [], own.pool)).toEqual([set.owner]);
    await own.pool.query('DELETE FROM bullmq.migration WHERE version > 1');
    await expect(prepareQueue(serviceUrl)).rejects.toMatchObject(refusal("the queue's tables"));
    await own.pool.query('DELETE FROM lethe_migrations WHERE version > 9');
    await expect(migrate(serviceUrl)).rejects.toMatchObject(refusal('migrations are still to be applied'));
  });

  it.each([
    ['a superuser', ''],
    ['that login, which may create roles', 'CREATEROLE'],
  ])('may be the one login that owns all, until %s sets up the roles', async (_who, attributes) => {
    const own = await empty();
    const url = await ownerOf(own, attributes);
    await migrate(url);
    await prepareQueue(url);
    await expect(migrate(url)).resolves.toEqual(NOTHING);
    await publish(url);
    await own.pool.query('CREATE TABLE of_somebody_else ()');
    const admin = attributes === '' ? own.connectionString : url;

    const set = rolesOfTest();
    await setUpRoles(admin, set);
    const { serviceUrl, migrationUrl } = await setUpRoles(admin, set);
    await expect(migrate(serviceUrl)).rejects.toMatchObject(refusal('the rights of the roles'));
    await expect(migrate(migrationUrl)).resolves.toEqual(NOTHING);
    await expect(migrate(serviceUrl)).resolves.toEqual(NOTHING);

    const login = userOf(url);
    const left = `SELECT relname AS name FROM pg_class
      WHERE relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace) AND relowner = to_regrole($1)
      UNION ALL SELECT proname FROM pg_proc WHERE proowner = to_regrole($1)
      UNION ALL SELECT typname FROM pg_type WHERE typowner = to_regrole($1)
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = to_regrole($1)`;
    expect(await names(left, [login], own.pool)).toEqual([]);
    const others = "SELECT tableowner AS name FROM pg_tables WHERE tablename = 'of_somebody_else'";
    expect(await names(others, [], own.pool)).toEqual([userOf(own.connectionString)]);
    expect(await rightsOf(set.service, own.pool)).toEqual(onEach(needed).set('of_somebody_else', []));
    // The job and the sequence are those of before.
    expect(await wipe(serviceUrl)).toBe(1);
    await publish(serviceUrl);
    expect(await wipe(serviceUrl)).toBe(1);
    if (attributes === '')
      expect(await saidTo(url, ['SELECT 1 FROM audit_events'])).toEqual([
        ['SELECT 1 FROM audit_events', '42501 permission denied for table audit_events'],
      ]);
  });

  it('may become the service, without what it owned', async () => {
    const own = await empty();
    const url = await ownerOf(own);
    await migrate(url);
    await prepareQueue(url);
    await publish(url);
    const set = { ...rolesOfTest(), service: userOf(url) };
    const { serviceUrl, migrationUrl } = await setUpRoles(own.connectionString, set);
    await migrate(migrationUrl);
    await expect(migrate(serviceUrl)).resolves.toEqual(NOTHING);
    expect(await rightsOf(set.service, own.pool)).toEqual(onEach(needed));
    const beyond = ['DROP SCHEMA public CASCADE', 'CREATE SCHEMA forged', 'CREATE TABLE public.forged ()'];
    const refused = expect.stringMatching(/^42501/);
    expect(await saidTo(serviceUrl, beyond)).toEqual(beyond.map((sql) => [sql, refused]));
    expect(await wipe(serviceUrl)).toBe(1);
  });

  it('is neither the owner of another database nor an administrator who may make no roles', async () => {
    const own = await empty();
    const url = await ownerOf(own);
    const elsewhere = new URL(url);
    elsewhere.pathname = new URL(database.connectionString).pathname;
    await expect(migrate(elsewhere.href)).rejects.toMatchObject(refusal('the rights of the roles'));
    const set = rolesOfTest();
    const failure = (what: string) => ({
      code: 'MIGRATION_ROLES_FAILED',
      message: expect.stringContaining(what),
    });
    await expect(setUpRoles(url, set)).rejects.toMatchObject(failure('permission denied to create role'));
    const loginAsOwner = { ...set, owner: userOf(url) };
    await expect(setUpRoles(own.connectionString, loginAsOwner)).rejects.toMatchObject(failure('can log in'));
    const two = { ...set, migrator: set.service };
    await expect(setUpRoles(own.connectionString, two)).rejects.toMatchObject(failure('three roles'));
  });
});
