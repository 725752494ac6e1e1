import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { promisify } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { isAlive, isPostmasterOf } from '../../src/embedded/postmaster-file.ts';
import type { EmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts';
import { startEmbeddedPostgres, stopEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts';
import { createTestFolder } from '../support/postgres.ts';

const COMPILED = path.join(import.meta.dirname, '../../dist/src/embedded/start-embedded-postgres.js');
/** A server that starts and stops quickly; what the tests ask of it is little. */
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '1MB',
  autovacuum: 'off',
  io_method: 'sync',
};
const isRoot = process.getuid?.() === 0;

const run = promisify(execFile);
/** A stopped database that was set up before, with one table: setting one up takes most of a test's time. */
let prepared = '';
beforeAll(async () => {
  prepared = path.join(await createTestFolder(), '.lethe');
  const server = await startEmbeddedPostgres({ directory: prepared, settings: SETTINGS });
  await query(server, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await server.stop();
});
afterAll(async () => {
  await rm(path.dirname(prepared), { recursive: true });
});

/** A copy for a test that changes it. */
const copyPrepared = async (): Promise<void> => {
  // Unlike Node's copy, this one keeps the owner.
  await run('cp', ['-a', prepared, directory]);
};

let borrowed = false;
/** The prepared database itself, for a test that leaves it as it was: a copy takes longer than most tests. */
const borrowPrepared = async (): Promise<void> => {
  await rename(prepared, directory);
  borrowed = true;
};

let folder = '';
let directory = '';
let children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await createTestFolder();
  directory = path.join(folder, '.lethe');
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const name of await readdir(folder)) await stopEmbeddedPostgres(path.join(folder, name));
  if (borrowed) await rename(directory, prepared);
  borrowed = false;
  await rm(folder, { recursive: true, maxRetries: 3 });
});

const start = (
  extra: { settings?: Record<string, string>; startTimeoutMs?: number } = {},
): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({
    directory,
    settings: { ...SETTINGS, ...extra.settings },
    ...pick(extra.startTimeoutMs),
  });

function pick(startTimeoutMs: number | undefined): { startTimeoutMs?: number } {
  return startTimeoutMs === undefined ? {} : { startTimeoutMs };
}

async function query(server: { connectionString: string }, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.connectionString });
  await client.connect();
  try {
    return z.array(z.unknown()).parse((await client.query(sql)).rows);
  } finally {
    await client.end();
  }
}

const childReport = z.object({ pid: z.number(), adopted: z.boolean(), connectionString: z.string() });

/** A process of its own that starts the server, reports, and stays until it is killed. */
function spawnStarter(): ChildProcess {
  const code = `import { startEmbeddedPostgres } from ${JSON.stringify(COMPILED)};
    const server = await startEmbeddedPostgres({ directory: process.argv[1], settings: ${JSON.stringify(SETTINGS)} });
    console.log(JSON.stringify(server));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  });
  children.push(child);
  return child;
}

async function reportOf(child: ChildProcess): Promise<z.infer<typeof childReport>> {
  if (child.stdout === null) throw new Error('the child has no output');
  for await (const chunk of child.stdout) return childReport.parse(JSON.parse(String(chunk)));
  throw new Error('the child ended without a report');
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (await condition()) return;
    await sleep(25);
  }
  throw new Error('waited 10 s in vain');
}

describe('a first start', () => {
  it('sets up a database that answers, with UTF-8, checksums and a password only we can read', async () => {
    const messages: string[] = [];
    const server = await startEmbeddedPostgres({
      directory,
      settings: SETTINGS,
      log: (message) => messages.push(message),
    });
    expect(server.adopted).toBe(false);
    const sql = `SELECT current_user AS user, current_database() AS database,
      current_setting('server_encoding') AS encoding, current_setting('data_checksums') AS checksums,
      current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
      current_setting('max_connections') AS connections, current_setting('fsync') AS fsync`;
    await expect(query(server, sql)).resolves.toEqual([
      {
        user: 'lethe',
        database: 'lethe',
        encoding: 'UTF8',
        checksums: 'on',
        addresses: '127.0.0.1',
        sockets: '',
        connections: '200',
        fsync: 'off',
      },
    ]);
    expect((await stat(path.join(directory, 'postgres-password'))).mode & 0o777).toBe(0o600);
    expect((await stat(path.join(directory, 'postgres.log'))).mode & 0o777).toBe(0o600);
    expect(messages.join('\n')).toContain(`process ${server.pid}`);
    expect(messages.join('\n')).not.toContain(new URL(server.connectionString).password);

    await server.stop();
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
    await expect(query(server, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(messages).toHaveLength(1);
  });

  it('asks for the password', async () => {
    const server = await start();
    const url = new URL(server.connectionString);
    url.password = 'wrong';
    await expect(query({ connectionString: url.href }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });
});

describe('a later start', () => {
  it('comes back with the data, on the same port', async () => {
    await copyPrepared();
    const first = await start();
    await query(first, 'UPDATE kept SET answer = 43');
    await first.stop();
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(second.connectionString).toBe(first.connectionString);
    await expect(query(second, 'SELECT answer FROM kept')).resolves.toEqual([{ answer: 43 }]);
  });

  it('takes another port when that of last time is taken', async () => {
    await borrowPrepared();
    const first = await start();
    await first.stop();
    const squatter = createServer();
    squatter.listen(Number(new URL(first.connectionString).port), '127.0.0.1');
    await once(squatter, 'listening');
    try {
      const second = await start();
      expect(new URL(second.connectionString).port).not.toBe(new URL(first.connectionString).port);
      await expect(query(second, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    } finally {
      squatter.close();
    }
  });

  it('adopts a running server, and leaves it running', async () => {
    await borrowPrepared();
    const owner = await start();
    const adopter = await start();
    expect(adopter).toMatchObject({
      adopted: true,
      pid: owner.pid,
      connectionString: owner.connectionString,
    });
    await adopter.stop();
    await expect(query(owner, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await owner.stop();
    expect(isAlive(owner.pid)).toBe(false);
  });

  it('stays for those who still use it, and is stopped by the last of them', async () => {
    await borrowPrepared();
    const messages: string[] = [];
    const owner = await startEmbeddedPostgres({
      directory,
      settings: SETTINGS,
      log: (message) => messages.push(message),
    });
    const adopter = await start();
    await owner.stop();
    expect(messages.at(-1)).toContain('other processes use it');
    await expect(query(adopter, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await adopter.stop();
    await expect(isPostmasterOf(owner.pid, path.join(directory, 'postgres', 'data'))).resolves.toBe(false);
  });

  it('is stopped by one of two who give it up in the same instant', async () => {
    await borrowPrepared();
    const owner = await start();
    const adopter = await start();
    await Promise.all([owner.stop(), adopter.stop()]);
    expect(isAlive(owner.pid)).toBe(false);
  });

  it('moves a long log aside', async () => {
    await copyPrepared();
    await writeFile(path.join(directory, 'postgres.log'), 'x'.repeat(10 * 1024 * 1024 + 1));
    await start();
    expect((await stat(path.join(directory, 'postgres.log'))).size).toBeLessThan(10_000);
    expect((await stat(path.join(directory, 'postgres.log.1'))).size).toBeGreaterThan(10_000_000);
  });
});

describe('after a crash of a database that was set up', () => {
  it('adopts the server whose parent was killed, and can stop it', async () => {
    await borrowPrepared();
    const child = spawnStarter();
    const left = await reportOf(child);
    child.kill('SIGKILL');
    await once(child, 'exit');

    const server = await start();
    expect(server).toMatchObject({ adopted: true, pid: left.pid });
    await expect(query(server, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await expect(stopEmbeddedPostgres(directory)).resolves.toBe(true);
    await expect(stopEmbeddedPostgres(directory)).resolves.toBe(false);
    await expect(isPostmasterOf(left.pid, directory)).resolves.toBe(false);
  });

  it('starts a killed server anew, with the data, and says that it had ended', async () => {
    await copyPrepared();
    const messages: string[] = [];
    const first = await startEmbeddedPostgres({
      directory,
      settings: SETTINGS,
      log: (message) => messages.push(message),
    });
    process.kill(first.pid, 'SIGKILL');
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(second.pid).not.toBe(first.pid);
    await expect(query(second, 'SELECT answer FROM kept')).resolves.toEqual([{ answer: 42 }]);
    expect(messages.at(-1)).toContain('ended by itself (SIGKILL)');
    await first.stop();
    await expect(query(second, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  it('is not misled by a process id that another program has by now', async () => {
    await borrowPrepared();
    const first = await start();
    const pidFile = path.join(directory, 'postgres', 'data', 'postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    await first.stop();
    await writeFile(pidFile, text.replace(String(first.pid), String(process.pid)), { mode: 0o600 });
    const second = await start();
    expect(second.adopted).toBe(false);
    await expect(query(second, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });
});

describe('an unfinished first start', () => {
  it('begins again when the first start was killed half way', async () => {
    const home = path.join(directory, 'postgres');
    const child = spawnStarter();
    const list = (): Promise<string[]> => readdir(home).catch(() => []);
    await waitFor(async () => {
      const unfinished = (await list()).find((name) => /^unfinished-[-0-9a-f]+$/.test(name));
      return unfinished !== undefined && (await readdir(path.join(home, unfinished))).length > 0;
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect(list()).resolves.not.toContain('data');

    const server = await start();
    await expect(query(server, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  it('clears away what a start left long ago, not what one may be at work on', async () => {
    const home = path.join(directory, 'postgres');
    await copyPrepared();
    await mkdir(path.join(home, 'unfinished-old'));
    await mkdir(path.join(home, 'unfinished-new'));
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(path.join(home, 'unfinished-old'), longAgo, longAgo);
    await start();
    expect((await readdir(home)).toSorted()).toEqual(['data', 'unfinished-new']);
  });
});

describe('several at once', () => {
  it('three processes on an empty folder share one server, which one of them started', async () => {
    const reports = await Promise.all(Array.from({ length: 3 }, () => reportOf(spawnStarter())));
    expect(new Set(reports.map((report) => report.pid)).size).toBe(1);
    expect(new Set(reports.map((report) => report.connectionString)).size).toBe(1);
    expect(reports.filter((report) => !report.adopted)).toHaveLength(1);
    expect((await readdir(path.join(directory, 'postgres'))).toSorted()).toEqual(['data']);
  });

  it('four starts of a stopped server share one', async () => {
    await borrowPrepared();
    const servers = await Promise.all([start(), start(), start(), start()]);
    expect(new Set(servers.map((server) => server.pid)).size).toBe(1);
    expect(servers.filter((server) => !server.adopted)).toHaveLength(1);
    await Promise.all(servers.map((server) => server.stop()));
    expect(isAlive(servers[0].pid)).toBe(false);
  });

  it('a start while the server is being stopped gets a server that stays', async () => {
    await borrowPrepared();
    const first = await start();
    const [, second] = await Promise.all([first.stop(), sleep(5).then(() => start())]);
    await expect(query(second, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  it('a copy of the folder of a running server gets a server of its own', async () => {
    await copyPrepared();
    const original = await start();
    const copy = path.join(folder, 'copy');
    await run('cp', ['-a', directory, copy]);
    const other = await startEmbeddedPostgres({ directory: copy, settings: SETTINGS });
    expect(other).toMatchObject({ adopted: false });
    expect(other.pid).not.toBe(original.pid);
    await expect(query(original, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });
});

describe('when it cannot start', () => {
  it('says why with the last lines of the log, and leaves no process', async () => {
    await expect(start({ settings: { shared_buffers: 'nonsense' } })).rejects.toMatchObject({
      code: 'EMBEDDED_START_FAILED',
      message: expect.stringMatching(/invalid value for parameter "shared_buffers"[^]*/),
    });
    await expect(stopEmbeddedPostgres(directory)).resolves.toBe(false);
  });

  it('ends a server that does not take the password of the folder', async () => {
    await copyPrepared();
    const server = await start();
    await server.stop();
    await writeFile(path.join(directory, 'postgres-password'), 'f00f');
    await expect(start()).rejects.toMatchObject({ code: 'EMBEDDED_NOT_OURS' });
    await expect(stopEmbeddedPostgres(directory)).resolves.toBe(false);
  });

  it('does not adopt a running server that does not take the password, and leaves it alone', async () => {
    await copyPrepared();
    const server = await start();
    await writeFile(path.join(directory, 'postgres-password'), 'f00f');
    await expect(start()).rejects.toMatchObject({ code: 'EMBEDDED_NOT_OURS' });
    await expect(query(server, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  it('gives up on a running server that is stuck', async () => {
    await borrowPrepared();
    const server = await start();
    process.kill(server.pid, 'SIGSTOP');
    try {
      await expect(start({ startTimeoutMs: 300 })).rejects.toMatchObject({
        code: 'EMBEDDED_START_FAILED',
        message: expect.stringContaining('was running already, and does not answer'),
      });
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
  });

  it('makes no new password for data that has one', async () => {
    await copyPrepared();
    const server = await start();
    await server.stop();
    await rm(path.join(directory, 'postgres-password'));
    await expect(start()).rejects.toMatchObject({ code: 'EMBEDDED_DIRECTORY_UNUSABLE' });
  });

  it('says so when the folder is a file', async () => {
    await writeFile(directory, '');
    await expect(start()).rejects.toMatchObject({ code: 'EMBEDDED_DIRECTORY_UNUSABLE' });
  });

  it('does not take a folder with something else in it for data', async () => {
    await mkdir(path.join(directory, 'postgres', 'data', 'lost+found'), { recursive: true });
    if (isRoot) await chmod(path.join(directory, 'postgres'), 0o755);
    await expect(start()).rejects.toMatchObject({ code: expect.stringMatching(/^EMBEDDED_/) });
    await expect(readdir(path.join(directory, 'postgres', 'data'))).resolves.toEqual(['lost+found']);
  });
});

it('logs no statement and no value: they can hold identifiers', async () => {
  await copyPrepared();
  const server = await start();
  await query(server, 'CREATE TABLE people (id text PRIMARY KEY)');
  await query(server, "INSERT INTO people VALUES ('alice@example.org')");
  await expect(query(server, "INSERT INTO people VALUES ('alice@example.org')")).rejects.toThrow(
    'duplicate key',
  );
  await expect(query(server, "SELECT 'alice@example.org'::int")).rejects.toThrow('invalid input syntax');
  await expect(
    query(server, "SELECT 'alice@example.org', pg_terminate_backend(pg_backend_pid())"),
  ).rejects.toThrow();
  await server.stop();
  const log = await readFile(path.join(directory, 'postgres.log'), 'utf8');
  expect(log).toContain('database system is ready to accept connections');
  expect(log).not.toContain('alice');
});

// Only root has to run Postgres as somebody else, so only for root can a folder be out of reach.
(isRoot ? describe : describe.skip)('as root, in a folder that the server account cannot enter', () => {
  const startInside = (log?: (message: string) => void): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({
      directory: path.join(folder, 'private', '.lethe'),
      fallbackRoot: path.join(folder, 'fallback'),
      settings: SETTINGS,
      ...(log === undefined ? {} : { log }),
    });
  beforeEach(async () => {
    await mkdir(path.join(folder, 'private'), { mode: 0o700 });
  });
  afterEach(async () => {
    await stopEmbeddedPostgres(path.join(folder, 'private', '.lethe'));
  });

  it('keeps the data outside, says where, and finds it again', async () => {
    const messages: string[] = [];
    const first = await startInside((message) => messages.push(message));
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    const pointer = await readFile(path.join(folder, 'private', '.lethe', 'postgres-location'), 'utf8');
    expect(pointer.trim()).toMatch(/\/fallback\/[0-9a-f]{16}$/);
    expect(messages[0]).toContain(pointer.trim());
    expect((await stat(pointer.trim())).mode & 0o777).toBe(0o700);

    await chmod(path.join(folder, 'private'), 0o755);
    const second = await startInside();
    await expect(query(second, 'SELECT answer FROM kept')).resolves.toEqual([{ answer: 42 }]);
  });

  it('refuses to begin with an empty database when the data outside is gone', async () => {
    const first = await startInside();
    await first.stop();
    await rm(path.join(folder, 'fallback'), { recursive: true });
    await expect(startInside()).rejects.toMatchObject({ code: 'EMBEDDED_DATA_MISSING' });
  });
});
