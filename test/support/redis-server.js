import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAMS = ['redis-server', 'valkey-server'];
const START_TIMEOUT_MS = 10_000;

/** The Redis (or Valkey) on PATH, undefined when there is none. */
export function findRedisProgram() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  for (const program of PROGRAMS) {
    const found = folders.map((folder) => path.join(folder, program)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Starts a Redis as production runs it (append-only file, no eviction) on 127.0.0.1, and waits until it answers.
 * `port` when a killed one is to come back where it was; data of an earlier one in `directory` is loaded.
 */
export async function startRedisServer({ directory, port }) {
  const program = findRedisProgram();
  if (program === undefined) throw new Error(`none of ${PROGRAMS.join(', ')} is on PATH`);
  await mkdir(directory, { recursive: true });
  const chosen = port ?? (await findFreePort());
  const child = spawn(program, optionsFor(directory, chosen), { stdio: 'ignore', detached: true });
  const exited = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  await waitForPing(chosen, child);
  child.unref();
  const end = async (name) => {
    child.ref();
    child.kill(name);
    if (child.exitCode === null && child.signalCode === null) await exited;
  };
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    pid: child.pid,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

function optionsFor(directory, port) {
  const options = {
    port,
    bind: '127.0.0.1',
    dir: directory,
    pidfile: path.join(directory, 'redis.pid'),
    logfile: path.join(directory, 'redis.log'),
    appendonly: 'yes',
    'maxmemory-policy': 'noeviction',
    save: '',
    databases: 64,
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

async function waitForPing(port, child) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answersPing(port))) {
    const ended = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    if (ended || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`Redis did not come up on port ${port}`);
    }
    await sleep(20);
  }
}

function answersPing(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const finish = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('data', (data) => finish(data.toString().startsWith('+PONG')));
    socket.once('connect', () => socket.write('PING\r\n'));
  });
}

function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
