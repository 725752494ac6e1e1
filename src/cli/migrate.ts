import { MigrationError } from '../../db/migration-error.ts';
import { migrate } from '../../db/migrate.ts';

/**
 * `npm run migrate`: migrates the database that LETHE_MIGRATION_DATABASE_URL names, or else DATABASE_URL, and makes the
 * queue's tables there unless REDIS_URL says that the queue is elsewhere.
 */
async function main(): Promise<void> {
  const { LETHE_MIGRATION_DATABASE_URL: own, DATABASE_URL: shared, REDIS_URL: redis } = process.env;
  const url = [own, shared].find((given) => given !== undefined && given !== '');
  if (url === undefined) {
    console.error('Set LETHE_MIGRATION_DATABASE_URL, or DATABASE_URL, to the database to migrate.');
    process.exitCode = 2;
    return;
  }
  try {
    const { applied } = await migrate(url);
    console.log(applied.length === 0 ? 'Nothing to migrate.' : `Migrated: ${applied.join(', ')}`);
    if (redis !== undefined && redis !== '') return;
    const { prepareQueue } = await import('../prepare-queue.ts');
    await prepareQueue(url);
  } catch (error) {
    // The message only: an error of the connection may hold the URL, so the password, in its other fields.
    console.error(error instanceof MigrationError ? `${error.code}: ${error.message}` : String(error));
    process.exitCode = 1;
  }
}

await main();
