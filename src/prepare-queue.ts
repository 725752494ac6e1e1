import { LATEST_SCHEMA_VERSION, runMigrations } from 'bullmq';
import pg from 'pg';
import { z } from 'zod';
import { notPermitted } from '../db/migrate.ts';
import { readStanding } from '../db/standing.ts';

const versionRow = z.tuple([z.object({ version: z.number() })]);
/** SQLSTATE undefined_table and insufficient_privilege: there is no queue yet, or it is not for this login. */
const NO_QUEUE = ['42P01', '42501'];

/**
 * Makes BullMQ's tables in a Postgres that carries the queue, or brings them up to date, as the role that owns ours. Changes
 * nothing where they are of this version already. Any number of processes may do so at once.
 *
 * @throws MigrationError MIGRATION_NOT_PERMITTED where the login may not and something is to be done
 */
export async function prepareQueue(url: string): Promise<void> {
  const client = new pg.Client(url);
  // The failing query reports a lost connection; without a listener it would also end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    if ((await readVersion(client)) >= LATEST_SCHEMA_VERSION) return;
    const { login, owner, mayMigrate } = await readStanding(client);
    if (!mayMigrate) throw notPermitted(login, "the queue's tables are missing or older than this version");
    if (owner !== null) await client.query(`SET ROLE ${owner}`);
    await runMigrations(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** 0 where there is no queue. */
async function readVersion(client: pg.Client): Promise<number> {
  const sql = 'SELECT coalesce(max(version), 0)::int AS version FROM bullmq.migration';
  try {
    return versionRow.parse((await client.query(sql)).rows)[0].version;
  } catch (error) {
    if (error instanceof pg.DatabaseError && NO_QUEUE.includes(error.code ?? '')) return 0;
    throw error;
  }
}
