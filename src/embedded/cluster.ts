import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chown, link, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Binaries } from './binaries.ts';
import { codeOf, EmbeddedPostgresError, messageOf, stderrOf } from './embedded-error.ts';
import type { Places } from './places.ts';
import { hasData } from './places.ts';
import { spawnAs } from './server-account.ts';
import { serverEnvironment } from './server-environment.ts';

const run = promisify(execFile);

/** The one role and the one database of the embedded Postgres. */
export const EMBEDDED_USER = 'lethe';
export const EMBEDDED_DATABASE = 'lethe';

/** An initdb takes seconds; what is left of one after this long was left by a crash. */
const ABANDONED_AFTER_MS = 10 * 60_000;
const UNFINISHED = 'unfinished-';

/**
 * The password of the embedded Postgres, made on first use: 48 hexadecimal digits in a file of mode 0600.
 * Several processes may come at once: the first one's password counts.
 *
 * @throws EmbeddedPostgresError EMBEDDED_DIRECTORY_UNUSABLE when there is data, but its password is gone.
 */
export async function readOrCreatePassword(places: Places): Promise<string> {
  const known = await readPassword(places);
  if (known !== undefined) return known;
  if (await hasData(places)) {
    const message = `${places.passwordFile} is gone, and the database in ${places.dataFolder} cannot be opened without it. Bring the file back.`;
    throw new EmbeddedPostgresError('EMBEDDED_DIRECTORY_UNUSABLE', message);
  }
  const unfinished = `${places.passwordFile}.${randomUUID()}`;
  try {
    await writeFile(unfinished, randomBytes(24).toString('hex'), { mode: 0o600, flag: 'wx' });
    // Unlike a rename, a link never replaces what another process has put there meanwhile.
    await link(unfinished, places.passwordFile).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  } finally {
    await rm(unfinished, { force: true });
  }
  return readFile(places.passwordFile, 'utf8');
}

/** The password kept for this place; undefined when none was made yet. */
async function readPassword(places: Places): Promise<string | undefined> {
  try {
    return (await readFile(places.passwordFile, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export interface ClusterOptions {
  readonly binaries: Binaries;
  readonly places: Places;
  readonly password: string;
  /** False skips the wait for the disk at the end of initdb; for tests. */
  readonly durable: boolean;
}

/**
 * Makes the data folder when there is none. It is made under another name and renamed when whole, so a crash
 * half way leaves no folder that looks like data; of several processes at once the first to finish wins.
 *
 * @throws EmbeddedPostgresError EMBEDDED_INIT_FAILED with the last lines of initdb.
 */
export async function ensureCluster(options: ClusterOptions): Promise<void> {
  const { places } = options;
  await removeAbandoned(places);
  if (await hasData(places)) return;
  const unfinished = path.join(places.home, `${UNFINISHED}${randomUUID()}`);
  const passwordFile = `${unfinished}.password`;
  try {
    await writeFile(passwordFile, options.password, { mode: 0o600, flag: 'wx' });
    if (places.account !== undefined) await chown(passwordFile, places.account.uid, places.account.gid);
    await runInitdb(options, unfinished, passwordFile);
    await rename(unfinished, places.dataFolder);
  } catch (error) {
    if (await hasData(places)) return;
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function runInitdb(options: ClusterOptions, folder: string, passwordFile: string): Promise<void> {
  const { binaries, places, durable } = options;
  const args = ['-D', folder, '-U', EMBEDDED_USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  args.push('--encoding=UTF8', '--locale=C', '--data-checksums');
  if (!durable) args.push('--no-sync');
  try {
    await run(binaries.initdb, args, { ...spawnAs(places.account), ...serverEnvironment() });
  } catch (cause) {
    const message = `The database could not be set up in ${places.home}: ${lastLines(cause)}`;
    throw new EmbeddedPostgresError('EMBEDDED_INIT_FAILED', message, cause);
  }
}

function lastLines(error: unknown): string {
  const text = stderrOf(error) || messageOf(error);
  return text.split('\n').slice(-10).join('\n');
}

async function removeAbandoned(places: Places): Promise<void> {
  for (const name of await readdir(places.home)) {
    if (!name.startsWith(UNFINISHED)) continue;
    const file = path.join(places.home, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) {
      await rm(file, { recursive: true, force: true });
    }
  }
}
