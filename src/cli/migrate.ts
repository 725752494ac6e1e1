import { MigrationError } from '../../db/migration-error.ts';
import { migrate } from '../../db/migrate.ts';

/** `npm run migrate`: migrates the database that DATABASE_URL names. */
async function main(): Promise<void> {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') {
    console.error('Set DATABASE_URL to the database to migrate.');
    process.exitCode = 2;
    return;
  }
  try {
    const { applied } = await migrate(url);
    console.log(applied.length === 0 ? 'Nothing to migrate.' : `Migrated: ${applied.join(', ')}`);
  } catch (error) {
    // The message only: an error of the connection may hold the URL, so the password, in its other fields.
    console.error(error instanceof MigrationError ? `${error.code}: ${error.message}` : String(error));
    process.exitCode = 1;
  }
}

await main();
