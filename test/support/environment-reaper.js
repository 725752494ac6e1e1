/**
 * A process beside the test run, so that nothing is left behind however the run ends (Ctrl-C, SIGKILL, a crash):
 * `node environment-reaper.js FOLDER`. It waits until its standard input closes, which the kernel does when the
 * run is gone, then stops every Postgres and Redis that lives below FOLDER and removes FOLDER. A run that ends in
 * order says so first, in any words. Without them its workers may still be starting something, so the reaper
 * looks again.
 */
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 5_000;
const LATE_ROUNDS = 3;
const LATE_PAUSE_MS = 500;
/** Deep enough for a data folder in a test's folder in the run's folder; does not walk through tables. */
const DEPTH = 5;
const PID_FILES = ['postmaster.pid', 'redis.pid'];

/** These replace their command line by a title without the folder. */
const SETS_ITS_TITLE = /(redis|valkey)-server/;

const [folder] = process.argv.slice(2);
let inOrder = false;
process.stdin.on('data', () => {
  inOrder = true;
});
await once(process.stdin, 'close');
await reap(folder);
for (let again = 0; !inOrder && again < LATE_ROUNDS; again += 1) {
  await sleep(LATE_PAUSE_MS);
  await reap(folder);
}

async function reap(root) {
  const pids = await findPids(root, DEPTH);
  for (const pid of pids) signal(pid, 'SIGQUIT');
  const deadline = Date.now() + PATIENCE_MS;
  while (pids.some((pid) => signal(pid, 0)) && Date.now() < deadline) await sleep(50);
  for (const pid of pids) signal(pid, 'SIGKILL');
  // A program that still writes may be faster than the removal; the next round gets it.
  await rm(root, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
}

async function findPids(directory, depth) {
  if (depth === 0) return [];
  const pids = [];
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const child = path.join(directory, entry.name);
    if (entry.isDirectory()) pids.push(...(await findPids(child, depth - 1)));
    else if (PID_FILES.includes(entry.name)) pids.push(await readPid(child, directory));
  }
  return pids.filter((pid) => pid !== undefined);
}

/** A pid file can outlive its process, and the number can be another's by now: its command line must fit. */
async function readPid(file, directory) {
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  if (process.platform !== 'linux') return pid;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes(directory) || SETS_ITS_TITLE.test(commandLine) ? pid : undefined;
}

function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
