import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whom Postgres runs as. Undefined wherever this is used: as the user we are. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/** "nobody" on Debian and its kin. Postgres refuses to run as root. */
const NOBODY: ServerAccount = { uid: 65534, gid: 65534 };

/** Whether this process is root (never on Windows). */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The account Postgres has to run as: undefined unless we are root. Data that exists already decides, because
 * Postgres only serves a folder of its own user: a folder made by uid 1000 is served as uid 1000.
 */
export async function chooseAccount(dataFolder: string): Promise<ServerAccount | undefined> {
  if (!isRoot()) return undefined;
  const owner = await stat(dataFolder).catch(() => undefined);
  return owner === undefined || owner.uid === 0 ? NOBODY : { uid: owner.uid, gid: owner.gid };
}

/** How to spawn as `account`. The folder we were started in may be one it cannot enter. */
export function spawnAs(account: ServerAccount | undefined): { uid?: number; gid?: number; cwd?: string } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid, cwd: '/' };
}

/** Whether `account` can enter `folder`. Found by trying: it depends on every folder above. */
export async function canEnter(account: ServerAccount | undefined, folder: string): Promise<boolean> {
  if (account === undefined) return true;
  try {
    await run('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], spawnAs(account));
    return true;
  } catch {
    return false;
  }
}
