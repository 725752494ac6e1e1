import pg from 'pg';
import type { ClientBase, ClientConfig } from 'pg';
import { z } from 'zod';
import { MigrationError } from './migration-error.ts';
import type { MigrationFile } from './migration-files.ts';
import { findMigrationFolder, readMigrationFiles } from './migration-files.ts';
import { findPending, insertLedgerEntry, lookAtLedger, readLedger } from './migration-ledger.ts';
import { bringServiceRightsUpToDate } from './service-rights.ts';
import { readStanding, type Standing } from './standing.ts';

export interface MigrateOptions {
  /** Folder of `NNNN_name.sql` files; `db/migrations` of this package when not given. */
  readonly directory?: string;
}

export interface MigrateResult {
  /** Names of the migrations this call applied, in order, as in `0001_erasure`. */
  readonly applied: readonly string[];
}

/** Key of the advisory lock that lets one process at a time migrate; spells "Leth". */
const LOCK_KEY = 0x4c657468;

/**
 * Applies all pending migrations in one transaction: either all are in, or nothing changed. Any number of
 * processes may call it at once on one database; the first applies, the others wait and find nothing to do.
 * Takes a connection string or configuration (a connection of its own, closed after) or a pool (borrows one).
 *
 * Where db/roles.sql has set up roles, all is done as the owner, and the service's rights on each table are brought up to
 * date. A login that may not migrate, as the service's, is content with a database that needs nothing.
 *
 * @throws MigrationError, see its codes. MIGRATION_FAILED names the file, and line and column where Postgres
 *   says where the mistake is.
 */
export async function migrate(
  target: string | ClientConfig | pg.Pool,
  options: MigrateOptions = {},
): Promise<MigrateResult> {
  const files = await readMigrationFiles(options.directory ?? findMigrationFolder());
  const { client, release } = await connect(target);
  try {
    return await inTransaction(client, () => applyPending(client, files));
  } finally {
    await release();
  }
}

interface Connection {
  readonly client: ClientBase;
  readonly release: () => Promise<void>;
}

async function connect(target: string | ClientConfig | pg.Pool): Promise<Connection> {
  try {
    return target instanceof pg.Pool ? await borrow(target) : await open(target);
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    const message = `The database to migrate cannot be reached${reason}.`;
    throw new MigrationError('MIGRATION_UNREACHABLE', message, cause);
  }
}

async function borrow(pool: pg.Pool): Promise<Connection> {
  const client = await pool.connect();
  const release = (): Promise<void> => {
    // Closed, not put back: a migration may have changed settings of the session.
    client.release(true);
    return Promise.resolve();
  };
  return { client, release };
}

async function open(target: string | ClientConfig): Promise<Connection> {
  const client = new pg.Client(target);
  // The failing query reports a lost connection; without a listener it would also end the process.
  client.on('error', () => undefined);
  await client.connect();
  return { client, release: () => client.end() };
}

async function inTransaction<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function applyPending(client: ClientBase, files: readonly MigrationFile[]): Promise<MigrateResult> {
  // Others may migrate for long; a limit meant for the service's own queries must not cut us off.
  await client.query('SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0');
  const standing = await readStanding(client);
  if (!standing.mayMigrate) return assertNothingPending(client, files, standing);
  if (standing.owner !== null) await client.query(`SET LOCAL ROLE ${standing.owner}`);
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
  const pending = findPending(files, await readLedger(client));
  const transaction = pending.length === 0 ? '' : await currentTransaction(client);
  for (const file of pending) {
    await applyFile(client, file);
    if ((await currentTransaction(client)) !== transaction) {
      const message = `${file.name}.sql ends the transaction it runs in; migrations must not BEGIN or COMMIT.`;
      throw new MigrationError('MIGRATION_INVALID', message);
    }
    await insertLedgerEntry(client, file);
  }
  if (standing.owner !== null) await bringServiceRightsUpToDate(client);
  return { applied: pending.map((file) => file.name) };
}

async function assertNothingPending(
  client: ClientBase,
  files: readonly MigrationFile[],
  { login, readsLedger }: Standing,
): Promise<MigrateResult> {
  const pending = readsLedger ? findPending(files, await lookAtLedger(client)) : files;
  if (pending.length === 0) return { applied: [] };
  const what = readsLedger
    ? `migrations are still to be applied, from ${pending[0]?.name ?? ''} on`
    : 'the rights of the roles are not up to date';
  throw notPermitted(login, what);
}

/** For whoever runs as a login that may not do what has to be done first. */
export function notPermitted(login: string, what: string): MigrationError {
  const message = `${login} may not migrate the database, and ${what}. Run \`npm run migrate\` with LETHE_MIGRATION_DATABASE_URL, a login that may become the owner's role.`;
  return new MigrationError('MIGRATION_NOT_PERMITTED', message);
}

async function applyFile(client: ClientBase, file: MigrationFile): Promise<void> {
  try {
    await client.query(file.sql);
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause;
    const place = placeOf(file.sql, cause.position);
    const message = `${file.name}.sql${place}: ${cause.message} (SQLSTATE ${cause.code ?? 'unknown'})`;
    throw new MigrationError('MIGRATION_FAILED', message, cause);
  }
}

const transactionRows = z.tuple([z.object({ id: z.string() })]);

async function currentTransaction(client: ClientBase): Promise<string> {
  const { rows } = await client.query('SELECT pg_current_xact_id()::text AS id');
  return transactionRows.parse(rows)[0].id;
}

/** `:line:column`, both from 1. Postgres counts characters from 1, not UTF-16 units as JavaScript does. */
function placeOf(sql: string, position: string | undefined): string {
  const offset = Number(position);
  if (!Number.isInteger(offset) || offset < 1) return '';
  const before = Array.from(sql).slice(0, offset - 1);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.filter((character) => character === '\n').length + 1;
  return `:${line}:${before.length - lineStart + 1}`;
}
