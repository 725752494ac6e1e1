import { prepareBinaries } from './binaries.ts';
import { ensureCluster, readOrCreatePassword } from './cluster.ts';
import { connectionStringOf, ensureDatabase } from './conversation.ts';
import { codeOf, EmbeddedPostgresError, messageOf } from './embedded-error.ts';
import { FALLBACK_ROOT, lookUpPlaces, preparePlaces, rememberHome } from './places.ts';
import { isPostmasterOf, readPostmasterFile } from './postmaster-file.ts';
import { isRoot } from './server-account.ts';
import type { RunningServer } from './server.ts';
import { adoptOrLaunch, stopServer } from './server.ts';
import type { Places } from './places.ts';
import type { Binaries } from './binaries.ts';

export interface EmbeddedPostgresOptions {
  /** Folder of this database, such as `.lethe`; made when it is missing. */
  readonly directory: string;
  /** Told what a person may want to know, in whole sentences. Never told the password. */
  readonly log?: (message: string) => void;
  /** Postgres settings by name, over ours; tests turn `fsync` off. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long the server may be silent while it starts; ms, 20 s when not given. */
  readonly startTimeoutMs?: number;
  /** Where the data goes when we are root and Postgres's account cannot enter `directory`; /var/lib/lethe. */
  readonly fallbackRoot?: string;
}

export interface EmbeddedPostgres {
  /** For `pg`; holds the password. */
  readonly connectionString: string;
  readonly pid: number;
  /** Whether the server was running before. */
  readonly adopted: boolean;
  /** Stops the server that this call started, and waits. Does nothing for an adopted one, or a second time. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;

/**
 * Starts the Postgres that comes from npm, or adopts the one that runs on `directory` already: a killed service
 * leaves its Postgres running, and several processes on one folder share one. The first start sets up the data,
 * a password in `postgres-password`, and the database `lethe`. Listens on 127.0.0.1 only, on the port of last
 * time when it is free; logs to `postgres.log`. As root it runs as uid 65534 (or as the owner of the data).
 *
 * @throws EmbeddedPostgresError, see its codes.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => undefined);
  try {
    const places = await preparePlaces(options.directory, options.fallbackRoot ?? FALLBACK_ROOT);
    return await start(options, places, log);
  } catch (error) {
    throw explain(error, options.directory);
  }
}

/**
 * Stops whichever server runs on `directory`, also one that a killed process left behind, and waits for its end.
 * Says whether there was one.
 *
 * @throws EmbeddedPostgresError EMBEDDED_STOP_FAILED.
 */
export async function stopEmbeddedPostgres(directory: string): Promise<boolean> {
  const places = await lookUpPlaces(directory);
  if (places === undefined) return false;
  const file = await readPostmasterFile(places.dataFolder);
  if (file === undefined || !(await isPostmasterOf(file.pid, places.dataFolder))) return false;
  await stopServer(file.pid, places);
  return true;
}

async function start(
  options: EmbeddedPostgresOptions,
  places: Places,
  log: (message: string) => void,
): Promise<EmbeddedPostgres> {
  const { settings = {}, startTimeoutMs = START_TIMEOUT_MS } = options;
  const binaries = await prepareBinaries({
    platform: process.platform,
    arch: process.arch,
    account: places.account,
    // Never a folder that other users may write to: what lies there is run.
    copyRoot: isRoot() ? (options.fallbackRoot ?? FALLBACK_ROOT) : places.directory,
  });
  const password = await readOrCreatePassword(places);
  await ensureCluster({ binaries, places, password, durable: settings['fsync'] !== 'off' });
  if (await rememberHome(places)) log(`The database of ${places.directory} is kept in ${places.home}.`);
  const server = await adoptOrLaunch({ binaries, places, password, settings, startTimeoutMs });
  const stop = stopOnce(server, { places, binaries, log });
  const address = { port: server.port, password };
  try {
    await ensureDatabase(address);
  } catch (error) {
    await stop();
    throw error;
  }
  const how = server.adopted ? 'was running already' : 'started';
  log(`Embedded Postgres ${how} on 127.0.0.1:${server.port} (process ${server.pid}).`);
  return { connectionString: connectionStringOf(address), pid: server.pid, adopted: server.adopted, stop };
}

interface StopContext {
  readonly places: Places;
  readonly binaries: Binaries;
  readonly log: (message: string) => void;
}

function stopOnce(server: RunningServer, { places, binaries, log }: StopContext): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  server.child?.once('exit', (code, signal) => {
    if (stopping !== undefined) return;
    log(`Embedded Postgres ended by itself (${signal ?? `exit ${String(code)}`}); see ${places.logFile}.`);
  });
  return () => {
    if (server.adopted) return Promise.resolve();
    stopping ??= stopServer(server.pid, places, binaries);
    return stopping;
  };
}

/** Errors of the file system mean that the folder cannot be used; ours say what they mean already. */
function explain(error: unknown, directory: string): unknown {
  const FILE_SYSTEM = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'];
  if (!FILE_SYSTEM.includes(codeOf(error) ?? '')) return error;
  const message = `The embedded Postgres cannot use the folder ${directory}: ${messageOf(error)}`;
  return new EmbeddedPostgresError('EMBEDDED_DIRECTORY_UNUSABLE', message, error);
}
