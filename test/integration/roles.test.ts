import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from '../../db/migrate.ts';
import { findMigrationFolder } from '../../db/migration-files.ts';
import { createTestDatabase, createTestFolder, type TestDatabase } from '../support/postgres.ts';
import {
  appendOnlyTables,
  connected,
  namesIn,
  neededRights,
  rightsOf,
  said,
  saidTo,
} from '../support/rights.ts';

let database: TestDatabase;
let service = '';
let migrator = '';
let owner = '';
let appendOnly: readonly string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  service = new URL(database.serviceUrl).username;
  migrator = new URL(database.migrationUrl).username;
  const sql = "SELECT nspowner::regrole::text AS name FROM pg_namespace WHERE nspname = 'public'";
  [owner = ''] = await namesIn(database.pool, sql);
  appendOnly = await appendOnlyTables(database.pool);
});
afterAll(() => database.drop());

describe('the rights on each table', () => {
  it('are what the service needs, and none for who migrates or for anybody', async () => {
    expect(appendOnly).toEqual(expect.arrayContaining(['admin_events', 'audit_events']));
    const needed = await neededRights(database.pool);
    expect(needed.size).toBeGreaterThan(20);
    expect(await rightsOf(database.pool, service)).toEqual(needed);
    const none = new Map([...needed.keys()].map((table) => [table, []]));
    expect(await rightsOf(database.pool, migrator)).toEqual(none);
    expect(await rightsOf(database.pool, 'public')).toEqual(none);
  });

  it('belong to a role that nobody can log in as', async () => {
    const sql = `SELECT DISTINCT relowner::regrole::text AS name FROM pg_class
      WHERE relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)
      UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace`;
    expect(await namesIn(database.pool, sql)).toEqual([owner]);
    const logins = await namesIn(database.pool, 'SELECT rolname AS name FROM pg_roles WHERE rolcanlogin');
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

    const rights = await rightsOf(own.pool, service);
    const needed = await neededRights(own.pool);
    const [inserted] = await saidTo(own.serviceUrl, ["INSERT INTO notes (words) VALUES ('x')"]);
    await own.drop();
    expect(rights).toEqual(needed);
    expect([rights.get('notes'), rights.get('seals')]).toEqual([needed.get('work'), ['SELECT', 'INSERT']]);
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
  const [name] = await namesIn(database.pool, sql, [table]);
  if (name === undefined) throw new Error(`${table} has no plain column`);
  return name;
}

/** A row in a table of which nothing is known: without its constraints, and what follows from an insert, an empty one will do. */
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
    FOR thing IN SELECT tgname FROM pg_trigger JOIN pg_proc f ON f.oid = tgfoid
      WHERE tgrelid = '${table}'::regclass AND NOT tgisinternal AND proname <> 'refuse_change'
    LOOP EXECUTE format('ALTER TABLE ${table} DISABLE TRIGGER %I', thing.tgname); END LOOP;
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
