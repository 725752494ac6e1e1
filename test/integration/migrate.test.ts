import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import { migrate } from '../../db/migrate.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { createEmptyDatabase, createTestFolder } from '../support/postgres.ts';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '..', '..');
const MODULE = path.join(ROOT, 'dist', 'db', 'migrate.js');
const PROGRAM = path.join(ROOT, 'dist', 'src', 'cli', 'migrate.js');

let database: TestDatabase;
let directory = '';
beforeEach(async () => {
  [database, directory] = await Promise.all([createEmptyDatabase(), createTestFolder()]);
});
afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

const write = (name: string, sql: string): Promise<void> => writeFile(path.join(directory, name), sql);
const migrateHere = (): Promise<{ applied: readonly string[] }> =>
  migrate(database.connectionString, { directory });

async function listTables(): Promise<string[]> {
  const { rows } = await database.pool.query(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
  );
  return z
    .array(z.object({ relname: z.string() }))
    .parse(rows)
    .map((row) => row.relname);
}

describe('migrate', () => {
  it('applies the files in order, once, and records them', async () => {
    await write('0002_second.sql', 'ALTER TABLE first ADD COLUMN b int; INSERT INTO first VALUES (1, 2);');
    await write('0001_first.sql', 'CREATE TABLE first (a int);');
    await write('README.md', 'not SQL');

    await expect(migrateHere()).resolves.toEqual({ applied: ['0001_first', '0002_second'] });
    await expect(migrateHere()).resolves.toEqual({ applied: [] });

    await write('0003_third.sql', 'CREATE TABLE third ();');
    await expect(migrateHere()).resolves.toEqual({ applied: ['0003_third'] });
    const { rows } = await database.pool.query('SELECT version, name FROM lethe_migrations ORDER BY version');
    expect(rows).toEqual([
      { version: 1, name: '0001_first' },
      { version: 2, name: '0002_second' },
      { version: 3, name: '0003_third' },
    ]);
  });

  it('takes a pool and a configuration too, and gives the pool its connection back', async () => {
    await write('0001_first.sql', "SET statement_timeout = '1s'; CREATE TABLE first ();");
    await migrate(database.pool, { directory });
    expect(database.pool.totalCount - database.pool.idleCount).toBe(0);
    const { rows } = await database.pool.query('SHOW statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '0' }]);
    const config = { connectionString: database.connectionString };
    await expect(migrate(config, { directory })).resolves.toEqual({ applied: [] });
  });

  it('changes nothing when a later file fails, and names file, line and column', async () => {
    await write('0001_good.sql', 'CREATE TABLE good ();');
    // The emoji is one character to Postgres, two to JavaScript.
    await write('0002_bad.sql', 'CREATE TABLE half ();\n/* 🙈 */ SELECT * FROM missing;\n');
    await expect(migrateHere()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: '0002_bad.sql:2:23: relation "missing" does not exist (SQLSTATE 42P01)',
    });
    await expect(listTables()).resolves.toEqual([]);
  });

  it('names the file when Postgres knows no place', async () => {
    await write(
      '0001_first.sql',
      'CREATE TABLE first (a int PRIMARY KEY); INSERT INTO first VALUES (1), (1);',
    );
    await expect(migrateHere()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringMatching(/^0001_first\.sql: duplicate key .* \(SQLSTATE 23505\)$/),
    });
  });

  it('refuses a file that ends its transaction', async () => {
    await write('0001_first.sql', 'CREATE TABLE first (); COMMIT; BEGIN;');
    await expect(migrateHere()).rejects.toMatchObject({ code: 'MIGRATION_INVALID' });
  });

  it('takes line ends of Windows for the same file', async () => {
    await write('0001_first.sql', 'CREATE TABLE first (\n);\n');
    await migrateHere();
    await write('0001_first.sql', 'CREATE TABLE first (\r\n);\r\n');
    await expect(migrateHere()).resolves.toEqual({ applied: [] });
  });

  describe('on a database that was migrated before', () => {
    beforeEach(async () => {
      await write('0001_first.sql', 'CREATE TABLE first ();');
      await write('0003_third.sql', 'CREATE TABLE third ();');
      await migrateHere();
    });

    it('refuses a file that changed', async () => {
      await write('0001_first.sql', 'CREATE TABLE first (a int);');
      await expect(migrateHere()).rejects.toMatchObject({
        code: 'MIGRATION_CHANGED',
        message: expect.stringContaining('0001_first'),
      });
    });

    it('refuses a file that is gone while newer ones are there', async () => {
      await rm(path.join(directory, '0001_first.sql'));
      await expect(migrateHere()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
    });

    it('refuses a file that was renamed', async () => {
      await rename(path.join(directory, '0001_first.sql'), path.join(directory, '0001_other.sql'));
      await expect(migrateHere()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
    });

    it('refuses a database that is newer than the code', async () => {
      await rm(path.join(directory, '0003_third.sql'));
      await expect(migrateHere()).rejects.toMatchObject({
        code: 'MIGRATION_NEWER',
        message: expect.stringContaining('0003_third'),
      });
    });

    it('refuses a new file whose number is not above those applied', async () => {
      await write('0002_second.sql', 'CREATE TABLE second ();');
      await expect(migrateHere()).rejects.toMatchObject({ code: 'MIGRATION_OUT_OF_ORDER' });
      await expect(listTables()).resolves.toEqual(['first', 'lethe_migrations', 'third']);
    });
  });

  it.each([['1_short.sql'], ['0001-dash.sql'], ['0001_Upper.sql']])(
    'refuses the file name %s',
    async (name) => {
      await write(name, 'SELECT 1;');
      await expect(migrateHere()).rejects.toMatchObject({ code: 'MIGRATION_INVALID' });
    },
  );

  it('refuses a number that is used twice, and a folder that is not there', async () => {
    await write('0001_a.sql', 'SELECT 1;');
    await write('0001_b.sql', 'SELECT 1;');
    await expect(migrateHere()).rejects.toMatchObject({ code: 'MIGRATION_INVALID' });
    const missing = path.join(directory, 'missing');
    await expect(migrate(database.connectionString, { directory: missing })).rejects.toMatchObject({
      code: 'MIGRATION_INVALID',
    });
  });

  it('says that the database cannot be reached, without the password', async () => {
    const url = new URL(database.connectionString);
    url.pathname = '/no_such_database';
    const failure = migrate(url.href, { directory });
    await expect(failure).rejects.toMatchObject({ code: 'MIGRATION_UNREACHABLE' });
    await expect(failure).rejects.not.toMatchObject({ message: expect.stringContaining(url.password) });
  });

  it('waits for another process that migrates, whatever time limit the role has', async () => {
    await write('0001_first.sql', 'SELECT pg_sleep(0.6); CREATE TABLE first ();');
    const limited = { connectionString: database.connectionString, options: '-c statement_timeout=200' };
    const results = await Promise.all([migrate(limited, { directory }), migrate(limited, { directory })]);
    expect(results.flatMap((result) => result.applied)).toEqual(['0001_first']);
  });
});

describe('the compiled runner', () => {
  it('lets 20 processes start at once on an empty database, and applies each migration once', async () => {
    await write(
      '0001_first.sql',
      'CREATE TABLE runs (step int); INSERT INTO runs VALUES (1); SELECT pg_sleep(0.3);',
    );
    await write('0002_second.sql', 'INSERT INTO runs VALUES (2);');
    const code = `import { migrate } from ${JSON.stringify(MODULE)};
      const { applied } = await migrate(process.argv[1], { directory: process.argv[2] });
      console.log(JSON.stringify(applied));`;
    const args = ['--input-type=module', '-e', code, database.connectionString, directory];

    const outputs = await Promise.all(
      Array.from({ length: 20 }, () => run(process.execPath, args, { env: {} })),
    );

    const applied = outputs.flatMap(({ stdout }) => z.array(z.string()).parse(JSON.parse(stdout)));
    expect(applied).toEqual(['0001_first', '0002_second']);
    const { rows } = await database.pool.query('SELECT step FROM runs ORDER BY step');
    expect(rows).toEqual([{ step: 1 }, { step: 2 }]);
  });

  it('migrates DATABASE_URL with the files of the package, from any working directory', async () => {
    const options = { env: { DATABASE_URL: database.connectionString }, cwd: '/' };
    const files = (await readdir(path.join(ROOT, 'db', 'migrations'))).filter((name) =>
      name.endsWith('.sql'),
    );
    const first = await run(process.execPath, [PROGRAM], options);
    expect(first.stdout).toBe(`Migrated: ${files.toSorted().join(', ').replaceAll('.sql', '')}\n`);
    const second = await run(process.execPath, [PROGRAM], options);
    expect(second.stdout).toBe('Nothing to migrate.\n');
  });

  it('ends with 2 without DATABASE_URL, and with 1 and the code when it fails', async () => {
    await expect(run(process.execPath, [PROGRAM], { env: {} })).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('DATABASE_URL'),
    });
    const env = { DATABASE_URL: 'postgresql://lethe:secret@127.0.0.1:1/lethe' };
    await expect(run(process.execPath, [PROGRAM], { env })).rejects.toMatchObject({
      code: 1,
      stderr: 'MIGRATION_UNREACHABLE: The database to migrate cannot be reached (ECONNREFUSED).\n',
    });
  });

  it('looks for the folder upwards, beside a package.json', async () => {
    const { findMigrationFolder } = await import('../../db/migration-files.ts');
    const built = path.join(directory, 'dist', 'db');
    await mkdir(built, { recursive: true });
    await mkdir(path.join(directory, 'db', 'migrations'), { recursive: true });
    await writeFile(path.join(directory, 'package.json'), '{}');
    expect(findMigrationFolder(built)).toBe(path.join(directory, 'db', 'migrations'));
    expect(() => findMigrationFolder('/')).toThrow(expect.objectContaining({ code: 'MIGRATION_INVALID' }));
  });
});

it('the template database has our tables and those of BullMQ', async () => {
  const { createTestDatabase } = await import('../support/postgres.ts');
  const copy = await createTestDatabase();
  const { rows } = await copy.pool.query(
    "SELECT to_regclass('lethe_migrations') IS NOT NULL AS ours, to_regclass('bullmq.migration') IS NOT NULL AS queue",
  );
  await copy.drop();
  expect(rows).toEqual([{ ours: true, queue: true }]);
});

it('drop() tells of a connection that a test forgot', async () => {
  const extra = await createEmptyDatabase();
  const forgotten = new pg.Client({
    connectionString: extra.connectionString,
    application_name: 'forgotten',
  });
  forgotten.on('error', () => undefined);
  await forgotten.connect();
  await expect(extra.drop()).rejects.toThrow('forgotten');
  await forgotten.end();
});
