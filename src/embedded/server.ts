import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Binaries } from './binaries.ts';
import type { Answer } from './conversation.ts';
import { ask } from './conversation.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { choosePort } from './free-port.ts';
import { openLog, readLogSince } from './log-file.ts';
import type { Places } from './places.ts';
import type { PostmasterFile } from './postmaster-file.ts';
import { isAlive, isPostmasterOf, readPostmasterFile, removeStalePostmasterFile } from './postmaster-file.ts';
import { spawnAs } from './server-account.ts';
import { serverEnvironment } from './server-environment.ts';

const run = promisify(execFile);

/** All that is needed to start or adopt one server. */
export interface ServerOptions {
  readonly binaries: Binaries;
  readonly places: Places;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
  /** How long a server may say nothing. While it says that it is starting, it gets ten times as long. */
  readonly startTimeoutMs: number;
}

/** A server that answers, and how it came about. */
export interface RunningServer extends PostmasterFile {
  readonly adopted: boolean;
  /** Undefined for an adopted one. */
  readonly child: ChildProcess | undefined;
}

const POLL_MS = 25;
const RECOVERY_FACTOR = 10;
const FAST_STOP_MS = 30_000;
const IMMEDIATE_STOP_MS = 10_000;

/**
 * Why a Postgres that has just been started may have ended although nothing is wrong: another process started
 * one on this folder first, took the port, or a killed one's children are still about to end.
 */
const OUTRUN =
  /lock file "postmaster\.pid"|could not bind|Address already in use|pre-existing shared memory block/;

/**
 * What Postgres may say. Only messages of the server itself are logged: a failed statement's text and its error
 * can hold identifiers of data subjects, as can the detail of a crash.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

/**
 * Adopts the server that runs on the data folder, or starts one. Needs no lock of its own: of two that are
 * started at once Postgres lets one live, and who lost adopts it.
 *
 * @throws EmbeddedPostgresError EMBEDDED_START_FAILED with the last lines of its log, EMBEDDED_NOT_OURS.
 */
export async function adoptOrLaunch(options: ServerOptions): Promise<RunningServer> {
  const deadline = Date.now() + options.startTimeoutMs;
  for (;;) {
    const adopted = await adopt(options);
    if (adopted !== undefined) return { ...adopted, adopted: true, child: undefined };
    const launched = await launch(options);
    if (launched.server !== undefined) return launched.server;
    if (!OUTRUN.test(launched.logText) || Date.now() > deadline) {
      throw startFailed(options.places, 'ended right after its start', launched.logText);
    }
    await sleep(POLL_MS * 4);
  }
}

/**
 * Stops the server: first as a fast shutdown that rolls back what is open, after 30 s as an immediate one.
 *
 * @throws EmbeddedPostgresError EMBEDDED_STOP_FAILED when it is still there after 40 s.
 */
export async function stopServer(pid: number, places: Places, binaries?: Binaries): Promise<void> {
  // It may have ended, and its number may be another program's by now.
  if (!(await isPostmasterOf(pid, places.dataFolder))) return;
  if (process.platform === 'win32' && binaries !== undefined) {
    // Node has no signals there: it would end the process at once.
    await run(binaries.pgCtl, ['stop', '-D', places.dataFolder, '-m', 'fast', '-W']).catch(() => undefined);
  } else {
    signal(pid, 'SIGINT');
  }
  if (await hasEnded(pid, places, FAST_STOP_MS)) return;
  signal(pid, 'SIGQUIT');
  if (await hasEnded(pid, places, IMMEDIATE_STOP_MS)) return;
  const message = `The embedded Postgres (process ${pid}) did not stop; see ${places.logFile}.`;
  throw new EmbeddedPostgresError('EMBEDDED_STOP_FAILED', message);
}

/** Waits until a child that has been stopped is collected, so that its process id is nobody's. */
export async function hasExited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  await once(child, 'exit');
}

/** The server that runs on the data folder, once it answers; undefined when there is none, or no longer. */
async function adopt(options: ServerOptions): Promise<PostmasterFile | undefined> {
  const { dataFolder } = options.places;
  const file = await readPostmasterFile(dataFolder);
  if (file === undefined) return undefined;
  const since = Date.now();
  while (isAlive(file.pid)) {
    const answer = await ask({ port: file.port, password: options.password }, dataFolder);
    if (answer === 'ready') return file;
    if (answer !== 'starting' && !(await isPostmasterOf(file.pid, dataFolder))) {
      await removeStalePostmasterFile(dataFolder, file);
      return undefined;
    }
    if (answer === 'refuses_password') throw notOurs(options.places, file.pid);
    if (isOverdue(options, answer, since)) {
      throw startFailed(options.places, `(process ${file.pid}) was running already, and does not answer`, '');
    }
    await sleep(POLL_MS);
  }
  return undefined;
}

interface Launched {
  readonly server: RunningServer | undefined;
  /** What it wrote, when it ended. */
  readonly logText: string;
}

async function launch(options: ServerOptions): Promise<Launched> {
  const { places } = options;
  const port = await choosePort(places.portFile);
  const log = await openLog(places.logFile);
  const child = spawnPostgres(options, port, log.handle.fd);
  await log.handle.close();
  const outcome = await waitUntilReady(options, child, port);
  if (outcome === 'ready' && child.pid !== undefined) {
    await writeFile(places.portFile, `${port}\n`);
    return { server: { pid: child.pid, port, adopted: false, child }, logText: '' };
  }
  if (child.pid !== undefined && outcome !== 'ended') await endQuickly(child.pid, places);
  const logText = await readLogSince(places.logFile, log.start);
  if (outcome === 'refuses_password') throw notOurs(places, undefined);
  if (outcome === 'overdue') throw startFailed(places, 'does not answer', logText);
  return { server: undefined, logText };
}

function spawnPostgres(options: ServerOptions, port: number, logFd: number): ChildProcess {
  const { places, binaries } = options;
  const settings = Object.entries({ ...SETTINGS, ...options.settings });
  const child = spawn(
    binaries.postgres,
    [
      '-D',
      places.dataFolder,
      '-p',
      String(port),
      ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    {
      ...spawnAs(places.account),
      ...serverEnvironment(),
      stdio: ['ignore', logFd, logFd],
      // A group of its own: Ctrl-C in a terminal goes to the service, which stops Postgres last.
      detached: true,
      windowsHide: true,
    },
  );
  child.on('error', () => undefined);
  // A database that runs is no reason for the process to stay.
  child.unref();
  return child;
}

async function waitUntilReady(
  options: ServerOptions,
  child: ChildProcess,
  port: number,
): Promise<'ready' | 'ended' | 'overdue' | 'refuses_password'> {
  const { dataFolder } = options.places;
  const since = Date.now();
  for (;;) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return 'ended';
    const answer = await ask({ port, password: options.password }, dataFolder);
    // On a remembered port the answer may be that of another process's Postgres, while ours is about to end.
    const isChild = (await readPostmasterFile(dataFolder))?.pid === child.pid;
    if (isChild && (answer === 'ready' || answer === 'refuses_password')) return answer;
    if (isOverdue(options, answer, since)) return 'overdue';
    await sleep(POLL_MS);
  }
}

function isOverdue(options: ServerOptions, answer: Answer, since: number): boolean {
  const patience = answer === 'starting' ? options.startTimeoutMs * RECOVERY_FACTOR : options.startTimeoutMs;
  return Date.now() - since > patience;
}

async function endQuickly(pid: number, places: Places): Promise<void> {
  signal(pid, 'SIGQUIT');
  if (!(await hasEnded(pid, places, IMMEDIATE_STOP_MS))) signal(pid, 'SIGKILL');
}

/** Waits until the process serves the folder no more. A zombie that nobody collects counts as ended. */
async function hasEnded(pid: number, places: Places, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (await isPostmasterOf(pid, places.dataFolder)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}

function startFailed(places: Places, what: string, logText: string): EmbeddedPostgresError {
  const log = logText === '' ? '' : ` Its last words:\n${logText}`;
  return new EmbeddedPostgresError(
    'EMBEDDED_START_FAILED',
    `The embedded Postgres of ${places.directory} ${what}; see ${places.logFile}.${log}`,
  );
}

function notOurs(places: Places, pid: number | undefined): EmbeddedPostgresError {
  const which = pid === undefined ? '' : ` (process ${pid})`;
  const message = `The Postgres${which} on ${places.dataFolder} does not take the password in ${places.passwordFile}: that file is not the one the database was set up with.`;
  return new EmbeddedPostgresError('EMBEDDED_NOT_OURS', message);
}
