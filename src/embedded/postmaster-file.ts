import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from './embedded-error.ts';

const run = promisify(execFile);

/** What a running Postgres writes into `postmaster.pid` of its data folder. */
export interface PostmasterFile {
  readonly pid: number;
  /** TCP port on 127.0.0.1. */
  readonly port: number;
}

/**
 * Reads `postmaster.pid`: line 1 is the process id, line 4 the port (source: src/include/utils/pidfile.h of
 * Postgres). Undefined when there is none, or when it was only begun.
 */
export async function readPostmasterFile(dataFolder: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(path.join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  return Number.isInteger(pid) && pid > 0 && Number.isInteger(port) && port > 0 ? { pid, port } : undefined;
}

/** Whether a process of this id exists. A process of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/**
 * Whether `pid` is the Postgres that serves `dataFolder`. After a reboot, and in a container at every start,
 * process ids are given out again, so a live id alone says nothing: the command line must name the folder.
 */
export async function isPostmasterOf(pid: number, dataFolder: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const commandLine = await readCommandLine(pid);
  return commandLine === undefined || commandLine.includes(dataFolder);
}

/** Undefined where it cannot be found out. Empty for a zombie, which serves nobody. */
async function readCommandLine(pid: number): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined;
  if (process.platform === 'linux') {
    const GONE = ['ENOENT', 'ESRCH'];
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch((error: unknown) =>
      GONE.includes(codeOf(error) ?? '') ? '' : undefined,
    );
  }
  const listed = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return listed.stdout;
}

/**
 * Removes a `postmaster.pid` whose process id now belongs to another program; Postgres itself would refuse to
 * start beside it. The file is read again right before. Should a Postgres start in between nevertheless, its
 * shared memory block keeps a second one off the data.
 */
export async function removeStalePostmasterFile(dataFolder: string, stale: PostmasterFile): Promise<void> {
  const now = await readPostmasterFile(dataFolder);
  if (now?.pid !== stale.pid || now.port !== stale.port) return;
  await rm(path.join(dataFolder, 'postmaster.pid'), { force: true });
}
