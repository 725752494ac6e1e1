import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { startRawServer } from '../support/http-server.ts';
import { startLethe, writeConfig, type LetheProcess } from '../support/lethe-process.ts';
import { createTestFolder } from '../support/postgres.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

const listening = z.object({ port: z.number() });
const answer = z.object({ id: z.string(), state: z.string() });

/** Calls the API of a process, once it listens, with this key. */
async function clientOf(api: LetheProcess, key: string) {
  const said = await api.says('the API listens');
  const line = said.split('\n').find((text) => text.includes('the API listens')) ?? '';
  const { port } = listening.parse(JSON.parse(line));
  return async (route: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    return fetch(`http://127.0.0.1:${port}${route}`, { ...init, headers });
  };
}
type Call = Awaited<ReturnType<typeof clientOf>>;

async function submit(call: Call, userId: string): Promise<string> {
  const body = JSON.stringify({ subject: { userId }, projectKeys: [PROJECT] });
  const response = await call('/v1/erasure-requests', { method: 'POST', body });
  expect(response.status).toBe(201);
  return answer.parse(await response.json()).id;
}

async function completed(call: Call, id: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const seen = answer.parse(await (await call(`/v1/erasure-requests/${id}`)).json());
    if (seen.state === 'completed') return;
    if (Date.now() > deadline) throw new Error(`waited in vain; the request is ${seen.state}`);
    await sleep(50);
  }
}

/** How many jobs of the queue a worker says it took, in its log at debug level. */
function jobsTaken(worker: LetheProcess): number {
  return worker.output().split('took work from the queue').length - 1;
}

const processes: LetheProcess[] = [];
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop()));
});

describe('a configuration with mistakes', () => {
  it('ends the process with status 78, naming all of them, before a port is opened', async () => {
    const lethe = startLethe('api', { OPENREPLAY_URL: 'ftp://x', OPENREPLAY_API_KEY: 'k', PORT: 'many' });
    expect(await lethe.ended()).toBe(78);
    expect(lethe.output()).toContain('OPENREPLAY_URL');
    expect(lethe.output()).toContain('PORT');
  });
});

describe('the embedded default, with nothing but an address and a key', () => {
  let sandbox: Sandbox;
  let env: Record<string, string>;
  let cwd: string;
  let data: string;
  beforeAll(async () => {
    sandbox = createSandbox({ personality: 'real', token: 'home-token', jobDelayMs: 80, analyticsLagMs: 1 });
    sandbox.addProject(PROJECT);
    env = { OPENREPLAY_URL: await sandbox.start(), OPENREPLAY_API_KEY: 'home-token', PORT: '0' };
    cwd = await createTestFolder();
    data = path.join(cwd, '.lethe');
  });
  afterAll(async () => {
    await sandbox.stop();
  });

  const start = (program: 'all' | 'api' | 'worker', change: Record<string, string> = {}) => {
    const started = startLethe(program, { ...env, ...change }, { cwd });
    processes.push(started);
    return started;
  };
  const adminClient = async (api: LetheProcess) => {
    await api.says('the API listens');
    return clientOf(api, (await readFile(path.join(data, 'admin-key'), 'utf8')).trim());
  };
  const erase = async (call: Call, userId: string) => {
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 3 });
    await completed(call, await submit(call, userId));
    expect(sandbox.hasUser(PROJECT, userId)).toBe(false);
  };
  /** What a query as the administrator finds, on the server that runs or on one that runs for it alone. */
  const query = async (sql: string): Promise<unknown[]> => {
    const server = await startEmbeddedPostgres({ directory: data });
    const client = new pg.Client(server.connectionString);
    try {
      await client.connect();
      return z.array(z.unknown()).parse((await client.query(sql)).rows);
    } finally {
      await client.end();
      await server.stop();
    }
  };
  const LOGINS = `SELECT DISTINCT usename AS login FROM pg_stat_activity
    WHERE datname = 'lethe' AND pid <> pg_backend_pid()`;
  const OWNERS = `SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname IN ('public', 'bullmq')`;
  const postgresRuns = () => existsSync(path.join(data, 'postgres', 'data', 'postmaster.pid'));

  it('serves API and worker in one process, and takes its Postgres along when it stops', async () => {
    const lethe = start('all');
    await erase(await adminClient(lethe), 'somebody');
    for (const secret of ['admin-key', 'master-key']) {
      expect((await stat(path.join(data, secret))).mode & 0o777).toBe(0o600);
      expect(lethe.output()).toContain(secret);
    }
    expect(postgresRuns()).toBe(true);
    expect(await query(LOGINS)).toEqual([{ login: 'lethe_service' }]);
    expect(await query(OWNERS)).toEqual([{ owner: 'lethe_owner' }]);
    expect(await lethe.stop()).toBe(0);
    expect(postgresRuns()).toBe(false);
    expect(lethe.output()).not.toContain('somebody');
  });

  it('serves them as two processes, too: the last one to stop takes Postgres along', async () => {
    // As a version without roles has left it: one login owns all, with the requests and the queue of before.
    await query(`DO $$ BEGIN
      REASSIGN OWNED BY lethe_owner, lethe_service TO lethe;
      DROP OWNED BY lethe_owner; DROP OWNED BY lethe_service; DROP OWNED BY lethe_migrator;
      DROP ROLE lethe_owner, lethe_service, lethe_migrator;
    END $$`);
    expect(await query(OWNERS)).toEqual([{ owner: 'lethe' }]);
    const api = start('api');
    const call = await adminClient(api);
    const worker = start('worker');
    await erase(call, 'another');
    expect(await query(LOGINS)).toEqual([{ login: 'lethe_service' }]);
    expect(await query(OWNERS)).toEqual([{ owner: 'lethe_owner' }]);
    expect(await api.stop()).toBe(0);
    expect(postgresRuns()).toBe(true);
    expect(await worker.stop()).toBe(0);
    expect(postgresRuns()).toBe(false);
  });

  it('leaves nothing running when it cannot start', async () => {
    const squatter = await startRawServer(() => undefined);
    const lethe = start('all', { PORT: String(squatter.port) });
    expect(await lethe.ended()).toBe(1);
    expect(lethe.output()).toContain('EADDRINUSE');
    expect(postgresRuns()).toBe(false);
    await squatter.close();
  });
});

describe.each(queueBackends())('API and two workers as processes on $name', (backend) => {
  let stage: Stage | undefined;
  afterEach(async () => {
    await stage?.close();
  });

  it('share the load, show each request over HTTP, and stop when told to', async () => {
    const masterKey = randomBytes(32);
    stage = await openStage({ backend, masterKey, withoutWorker: true });
    const env = await writeConfig(await createTestFolder(), {
      databaseUrl: stage.database.serviceUrl,
      redisUrl: backend.redisUrl,
      prefix: stage.queue.kind === 'redis' ? stage.queue.prefix : '',
      openReplayUrl: stage.openReplayUrl,
      masterKey,
      token: 'stage-token',
      logLevel: 'debug',
    });
    const keys = startLethe('keys', env, { args: ['create', '--name', 'test', '--scope', 'admin'] });
    expect(await keys.ended()).toBe(0);
    const key = /lethe_[\w-]+/.exec(keys.output())?.[0] ?? '';
    const api = startLethe('api', env);
    const workers = [startLethe('worker', env), startLethe('worker', env)];
    processes.push(api, ...workers);
    const call = await clientOf(api, key);
    await Promise.all(workers.map((worker) => worker.says('the worker runs')));

    const ids: string[] = [];
    for (let index = 0; index < 40; index += 1) {
      stage.sandbox.addUser({ projectKey: PROJECT, userId: `person-${index}`, sessions: 1 });
      ids.push(await submit(call, `person-${index}`));
    }
    for (const id of ids) expect((await stage.settled(id)).state).toBe('completed');

    expect((await call(`/v1/erasure-requests/${ids[0] ?? ''}`)).status).toBe(200);
    expect((await call('/readyz')).status).toBe(200);
    expect((await call('/healthz')).status).toBe(200);
    expect(stage.sandbox.deletionsAsked).toHaveLength(40);
    // Each has a real part of the work: 160 steps and more, the polls of which may go together.
    for (const worker of workers) expect(jobsTaken(worker)).toBeGreaterThanOrEqual(10);
    const output = processes.map((process) => process.output()).join('');
    expect(output).not.toContain('person-');
    expect(await Promise.all(processes.splice(0).map((process) => process.stop()))).toEqual([0, 0, 0]);
  });
});
