import type { ClientBase } from 'pg';
import { z } from 'zod';
import { MigrationError } from './migration-error.ts';
import type { MigrationFile } from './migration-files.ts';

const appliedRow = z.object({ version: z.int(), name: z.string(), sha256: z.string() });
/** One migration as the database remembers it. */
export type AppliedMigration = z.infer<typeof appliedRow>;

/** Reads `lethe_migrations` in the order of its numbers, and creates it in an empty database. */
export async function readLedger(client: ClientBase): Promise<AppliedMigration[]> {
  await client.query(`
    CREATE TABLE IF NOT EXISTS lethe_migrations (
      version    int PRIMARY KEY,
      name       text NOT NULL,
      sha256     text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
  return selectApplied(client);
}

const presence = z.tuple([z.object({ there: z.boolean() })]);

/** As readLedger, but changes nothing: a database that was never migrated has no entries. */
export async function lookAtLedger(client: ClientBase): Promise<AppliedMigration[]> {
  const { rows } = await client.query("SELECT to_regclass('lethe_migrations') IS NOT NULL AS there");
  return presence.parse(rows)[0].there ? selectApplied(client) : [];
}

async function selectApplied(client: ClientBase): Promise<AppliedMigration[]> {
  const { rows } = await client.query('SELECT version, name, sha256 FROM lethe_migrations ORDER BY version');
  return z.array(appliedRow).parse(rows);
}

export async function insertLedgerEntry(client: ClientBase, file: MigrationFile): Promise<void> {
  await client.query('INSERT INTO lethe_migrations (version, name, sha256) VALUES ($1, $2, $3)', [
    file.version,
    file.name,
    file.sha256,
  ]);
}

/**
 * The files that are still to be applied, in order. What was applied must be there, unchanged.
 *
 * @throws MigrationError MIGRATION_NEWER, MIGRATION_CHANGED, MIGRATION_OUT_OF_ORDER.
 */
export function findPending(
  files: readonly MigrationFile[],
  applied: readonly AppliedMigration[],
): MigrationFile[] {
  const newest = applied.at(-1);
  if (newest === undefined) return [...files];
  if (newest.version > (files.at(-1)?.version ?? 0)) {
    const message = `The database has migration ${newest.name}, which this version of Lethe does not know: a newer one has run on it. Run that version or a later one.`;
    throw new MigrationError('MIGRATION_NEWER', message);
  }
  const byVersion = new Map(files.map((file) => [file.version, file]));
  for (const entry of applied) assertUnchanged(entry, byVersion.get(entry.version));

  const known = new Set(applied.map((entry) => entry.version));
  const pending = files.filter((file) => !known.has(file.version));
  const late = pending.find((file) => file.version < newest.version);
  if (late === undefined) return pending;
  const message = `${late.name}.sql is new, but ${newest.name} was applied already: give it a number above.`;
  throw new MigrationError('MIGRATION_OUT_OF_ORDER', message);
}

function assertUnchanged(entry: AppliedMigration, file: MigrationFile | undefined): void {
  if (file?.sha256 === entry.sha256 && file.name === entry.name) return;
  const what = file === undefined ? 'its file is gone' : `${file.name}.sql differs from it`;
  const message = `Migration ${entry.name} was applied to this database, and ${what}. Bring the file back as it was; changes go into a new migration.`;
  throw new MigrationError('MIGRATION_CHANGED', message);
}
