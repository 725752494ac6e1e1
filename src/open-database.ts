import type { Logger } from 'pino';
import { migrate } from '../db/migrate.ts';
import { setUpRoles } from '../db/set-up-roles.ts';
import type { Config } from './config.ts';
import { startEmbeddedPostgres } from './embedded/start-embedded-postgres.ts';

/** A database that is up to date. */
export interface Database {
  /** What the service connects as; holds the password. */
  readonly connectionString: string;
  stop(): Promise<void>;
}

interface Opened extends Database {
  /** What migrates; the service itself where one login does all. */
  readonly migrationUrl: string;
}

/**
 * Opens the configured database, the embedded one where there is none, and migrates it. The embedded one gets its roles
 * first, so that in it, too, the service can change nothing of the audit trail.
 *
 * @param options.withQueue whether the queue's tables are needed, where the database carries the queue
 * @throws MigrationError, EmbeddedPostgresError
 */
export async function openDatabase(
  config: Config,
  { logger, withQueue }: { logger: Logger; withQueue: boolean },
): Promise<Database> {
  const opened = await open(config, logger);
  const { migrationUrl, connectionString } = opened;
  try {
    await migrate(migrationUrl);
    // The service sees what was migrated: it may not do it, but it looks.
    if (connectionString !== migrationUrl) await migrate(connectionString);
    if (withQueue && config.queue.kind === 'postgres') {
      // Loaded only here: who has no queue on Postgres needs none of BullMQ for it.
      const { prepareQueue } = await import('./prepare-queue.ts');
      await prepareQueue(migrationUrl);
    }
    return opened;
  } catch (error) {
    await opened.stop();
    throw error;
  }
}

async function open(config: Config, logger: Logger): Promise<Opened> {
  if (config.database.kind === 'url') {
    const { url, migrationUrl = url } = config.database;
    return { connectionString: url, migrationUrl, stop: () => Promise.resolve() };
  }
  const { directory } = config.database;
  const server = await startEmbeddedPostgres({
    directory,
    log: (message) => {
      logger.info({ directory }, message);
    },
  });
  try {
    const { serviceUrl, migrationUrl } = await setUpRoles(server.connectionString);
    return { connectionString: serviceUrl, migrationUrl, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
