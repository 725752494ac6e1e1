import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, EmbeddedPostgresError } from './embedded-error.ts';
import type { ServerAccount } from './server-account.ts';
import { canEnter, chooseAccount } from './server-account.ts';

/** Where everything of one embedded Postgres lies; absolute paths. */
export interface Places {
  /** The folder that was asked for, such as `.lethe`. */
  readonly directory: string;
  readonly logFile: string;
  readonly passwordFile: string;
  readonly portFile: string;
  /** Says where `home` is when it could not be inside `directory`. */
  readonly pointerFile: string;
  /** Folder that belongs to the server's account; holds the data folder and unfinished ones. */
  readonly home: string;
  readonly dataFolder: string;
  readonly account: ServerAccount | undefined;
}

/** The data of a root service whose own folder Postgres cannot enter; not a temporary folder: it must not be lost. */
export const FALLBACK_ROOT = '/var/lib/lethe';

/**
 * Decides where the data lies: in `directory`, or below `fallbackRoot` when we are root and the account that
 * Postgres has to run as cannot enter `directory` (as below /root). Once decided it stays: a pointer file in
 * `directory` names the place. Makes the folders.
 *
 * @throws EmbeddedPostgresError EMBEDDED_DATA_MISSING (the pointer leads nowhere), EMBEDDED_DIRECTORY_UNUSABLE.
 */
export async function preparePlaces(directory: string, fallbackRoot: string): Promise<Places> {
  await mkdir(directory, { recursive: true });
  const own = await realpath(directory);
  const home = await findHome(own, fallbackRoot);
  const places = placesBelow(own, home, await chooseAccount(path.join(home, 'data')));
  await makeHome(places);
  if (!(await canEnter(places.account, places.home))) {
    const message = `Postgres cannot run as root, and the account it runs as cannot enter ${places.home}.`;
    throw new EmbeddedPostgresError('EMBEDDED_DIRECTORY_UNUSABLE', message);
  }
  return places;
}

/** As `preparePlaces`, but makes and changes nothing; undefined when no Postgres was ever set up for `directory`. */
export async function lookUpPlaces(directory: string): Promise<Places | undefined> {
  const own = await realpath(directory).catch(() => undefined);
  if (own === undefined) return undefined;
  const home = (await readPointer(own)) ?? path.join(own, 'postgres');
  const places = placesBelow(own, home, await chooseAccount(path.join(home, 'data')));
  return (await hasData(places)) ? places : undefined;
}

/** Whether a whole data folder is there. It only ever appears whole, see cluster.ts. */
export async function hasData(places: Places): Promise<boolean> {
  return exists(path.join(places.dataFolder, 'PG_VERSION'));
}

/** Leaves the pointer to a home outside `directory`, once there is data in it. Says whether it lies outside. */
export async function rememberHome(places: Places): Promise<boolean> {
  if (path.dirname(places.home) === places.directory) return false;
  await writeFile(places.pointerFile, `${places.home}\n`);
  return true;
}

function placesBelow(directory: string, home: string, account: ServerAccount | undefined): Places {
  return {
    directory,
    logFile: path.join(directory, 'postgres.log'),
    passwordFile: path.join(directory, 'postgres-password'),
    portFile: path.join(directory, 'postgres-port'),
    pointerFile: pointerFileOf(directory),
    home,
    dataFolder: path.join(home, 'data'),
    account,
  };
}

async function findHome(directory: string, fallbackRoot: string): Promise<string> {
  const pointed = await readPointer(directory);
  if (pointed !== undefined) {
    if (await exists(path.join(pointed, 'data', 'PG_VERSION'))) return pointed;
    const message = `The database of ${directory} was kept in ${pointed}, and is no longer there. Bring that folder back; or, to begin with an empty database, delete ${pointerFileOf(directory)}.`;
    throw new EmbeddedPostgresError('EMBEDDED_DATA_MISSING', message);
  }
  const inside = path.join(directory, 'postgres');
  const account = await chooseAccount(path.join(inside, 'data'));
  if ((await exists(path.join(inside, 'data'))) || (await canEnter(account, directory))) return inside;
  return path.join(fallbackRoot, createHash('sha256').update(directory).digest('hex').slice(0, 16));
}

async function readPointer(directory: string): Promise<string | undefined> {
  const text = await readFile(pointerFileOf(directory), 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

function pointerFileOf(directory: string): string {
  return path.join(directory, 'postgres-location');
}

async function makeHome(places: Places): Promise<void> {
  const parent = path.dirname(places.home);
  const made = await mkdir(parent, { recursive: true });
  if (made !== undefined) await chmod(parent, 0o755);
  await mkdir(places.home, { recursive: true, mode: 0o700 });
  if (places.account !== undefined) await chown(places.home, places.account.uid, places.account.gid);
}

/** A folder we may not look into is an error, never "not there": its data must not be replaced. */
async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
