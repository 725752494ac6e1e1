import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { dumpSchema } from '../../db/dump-schema.ts';
import { migrate } from '../../db/migrate.ts';
import { findMigrationFolder } from '../../db/migration-files.ts';
import { startEmbeddedPostgres } from '../embedded/start-embedded-postgres.ts';

/** Runs `use` on an embedded Postgres of its own, of which nothing is left afterwards. */
async function withEmbedded<T>(use: (url: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lethe-schema-'));
  try {
    // As root, Postgres runs as another user and has to get in.
    await chmod(folder, 0o755);
    const server = await startEmbeddedPostgres({ directory: folder, settings: { fsync: 'off' } });
    try {
      return await use(server.connectionString);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs `use` on a new database of the server: whatever is in the one that `url` names stays out of it. */
async function withEmptyDatabase<T>(url: string, use: (url: string) => Promise<T>): Promise<T> {
  const name = `lethe_schema_${randomBytes(6).toString('hex')}`;
  const own = new URL(url);
  own.pathname = `/${name}`;
  return withClient(url, async (client) => {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
    try {
      return await use(own.href);
    } finally {
      await client.query(`DROP DATABASE ${name}`);
    }
  });
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function schemaOn(server: string): Promise<string> {
  return withEmptyDatabase(server, async (url) => {
    await migrate(url);
    return withClient(url, dumpSchema);
  });
}

/**
 * `npm run schema`: writes db/schema.sql, or the file that is named. Uses the server of DATABASE_URL (as a role that
 * may create databases) or an embedded Postgres.
 */
async function main(file: string | undefined): Promise<void> {
  const server = process.env['DATABASE_URL'];
  const schema =
    server === undefined || server === '' ? await withEmbedded(schemaOn) : await schemaOn(server);
  const target = file ?? join(dirname(findMigrationFolder()), 'schema.sql');
  await writeFile(target, schema);
  process.stdout.write(`Wrote ${target}.\n`);
}

try {
  await main(process.argv[2]);
} catch (error) {
  // The message only: an error of the connection may hold the URL, so the password, in its other fields.
  process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`);
  process.exitCode = 1;
}
