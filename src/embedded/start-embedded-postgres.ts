import { prepareBinaries } from './binaries.ts';
import { ensureCluster, readOrCreatePassword } from './cluster.ts';
import { connectionStringOf, countPresences, openPresence, type Presence } from './conversation.ts';
import { codeOf, EmbeddedPostgresError, messageOf } from './embedded-error.ts';
import { FALLBACK_ROOT, lookUpPlaces, preparePlaces, rememberHome } from './places.ts';
import { isPostmasterOf, readPostmasterFile } from './postmaster-file.ts';
import { isRoot } from './server-account.ts';
import type { RunningServer, ServerOptions } from './server.ts';
import { adoptOrLaunch, hasExited, stopServer } from './server.ts';
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
  /**
   * Gives the server up. The last of the processes that share it stops it, whichever started it, and waits for its
   * end. Does nothing a second time.
   */
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
  const used = await adoptAndStay({ binaries, places, password, settings, startTimeoutMs });
  const { server } = used;
  const how = server.adopted ? 'was running already' : 'started';
  log(`Embedded Postgres ${how} on 127.0.0.1:${server.port} (process ${server.pid}).`);
  return {
    connectionString: connectionStringOf({ port: server.port, password }),
    pid: server.pid,
    adopted: server.adopted,
    stop: giveUpOnce(used, { places, password, binaries, log }),
  };
}

/** A server with our presence on it: nobody else who gives it up stops it now. */
interface UsedServer {
  readonly server: RunningServer;
  readonly presence: Presence;
}

/** The last one to give a server up may be stopping it just as we adopt it; then the next one is ours. */
const ADOPTIONS = 3;

async function adoptAndStay(options: ServerOptions): Promise<UsedServer> {
  for (let attempt = 1; ; attempt += 1) {
    const server = await adoptOrLaunch(options);
    try {
      return { server, presence: await openPresence({ port: server.port, password: options.password }) };
    } catch (error) {
      if (server.adopted && attempt < ADOPTIONS) continue;
      if (!server.adopted) await stopServer(server.pid, options.places, options.binaries);
      throw error;
    }
  }
}

interface StopContext {
  readonly places: Places;
  readonly password: string;
  readonly binaries: Binaries;
  readonly log: (message: string) => void;
}

function giveUpOnce({ server, presence }: UsedServer, context: StopContext): () => Promise<void> {
  const { places, password, binaries, log } = context;
  let giving: Promise<void> | undefined;
  server.child?.once('exit', (code, signal) => {
    if (giving !== undefined) return;
    log(`Embedded Postgres ended by itself (${signal ?? `exit ${String(code)}`}); see ${places.logFile}.`);
  });
  const giveUp = async (): Promise<void> => {
    await presence.end();
    // Counted only after our own presence has ended: of two that give up at once the later one sees nobody.
    if ((await countPresences({ port: server.port, password })) > 0) {
      log('Embedded Postgres stays: other processes use it; the last of them stops it.');
      return;
    }
    await stopServer(server.pid, places, binaries);
    if (server.child !== undefined) await hasExited(server.child);
  };
  return () => (giving ??= giveUp());
}

/** Errors of the file system mean that the folder cannot be used; ours say what they mean already. */
function explain(error: unknown, directory: string): unknown {
  const FILE_SYSTEM = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'];
  if (!FILE_SYSTEM.includes(codeOf(error) ?? '')) return error;
  const message = `The embedded Postgres cannot use the folder ${directory}: ${messageOf(error)}`;
  return new EmbeddedPostgresError('EMBEDDED_DIRECTORY_UNUSABLE', message, error);
}
