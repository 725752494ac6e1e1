import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { z } from 'zod';
import { createApiKey } from '../src/app/create-api-key.ts';
import { submitRequest } from '../src/app/submit-request.ts';
import { openCore, type Core } from '../src/composition.ts';
import { loadConfig } from '../src/config.ts';
import { startEmbeddedPostgres } from '../src/embedded/start-embedded-postgres.ts';
import { createLogger } from '../src/log.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';
import { startWorkerOf } from '../workers/start-worker-of.ts';
import { startLethe } from '../test/support/lethe-process.ts';
import { startRedisServer } from '../test/support/redis-server.js';

/**
 * `npm run bench:waiting`: what tasks cost that wait for tonight's run. One erasure is carried to where its job is scheduled, and
 * its rows are copied, with all their events, to 1,000 and then to 100,000 of them; two workers idle over each. Fails when
 * the memory of Redis or the processor time of the workers is more than 1.2 times as much with the many.
 */
const FEW = 1_000;
const MANY = 100_000;
const AT_MOST = 1.2;
const SETTLE_MS = 5_000;
const IDLE_MS = 60_000;
const PROJECT = 'benchProject00000000';
/** Clock ticks of /proc in a second. */
const TICKS = 100;

interface Cost {
  readonly redisBytes: number;
  readonly cpuSeconds: number;
  readonly databaseBytes: number;
}

const total = z.tuple([z.object({ requests: z.number() })]);
const size = z.tuple([z.object({ bytes: z.coerce.number() })]);

const folder = await mkdtemp(path.join(tmpdir(), 'lethe-bench-'));
await chmod(folder, 0o755);
const postgres = await startEmbeddedPostgres({ directory: path.join(folder, 'data') });
const redis = await startRedisServer({ directory: folder });
const sandbox = createSandbox({ personality: 'real', token: 'bench-token', jobDelayMs: 6 * 3_600_000 });
sandbox.addProject(PROJECT);
sandbox.addUser({ projectKey: PROJECT, userId: 'somebody', sessions: 3 });
const pool = new pg.Pool({ connectionString: postgres.connectionString, max: 2 });
try {
  const env = {
    DATABASE_URL: postgres.connectionString,
    REDIS_URL: redis.url,
    LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
    OPENREPLAY_URL: await sandbox.start(),
    OPENREPLAY_API_KEY: 'bench-token',
    LETHE_DATA_DIR: path.join(folder, 'lethe'),
  };
  await carryOne(env);
  await copyUntil(FEW);
  const few = await idle(env);
  await copyUntil(MANY);
  report(few, await idle(env));
} finally {
  await pool.end();
  await sandbox.stop();
  await redis.stop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

async function carryOne(env: Record<string, string>): Promise<void> {
  const core = await openCore(loadConfig(env, { cwd: folder }), {
    role: 'bench',
    logger: createLogger({ level: 'error', name: 'bench' }),
  });
  const worker = await startWorkerOf(core);
  try {
    await submitOne(core);
    const sql = "SELECT FROM work WHERE kind = 'poll' AND run_at > now() + interval '1 hour'";
    while ((await pool.query(sql)).rowCount !== 1) await sleep(100);
  } finally {
    await worker.stop();
    await core.close();
  }
}

async function submitOne({ deps }: Core): Promise<void> {
  const { id: apiKeyId } = await createApiKey(deps, { name: 'bench', scopes: ['admin'] }, 'local');
  const submission = { subject: { userId: 'somebody' }, projectKeys: [PROJECT] };
  await submitRequest(deps, submission, { apiKeyId, idempotencyKey: undefined, channel: 'api' });
}

/** Copies the request that there is, under new ids, until there are so many of them. */
async function copyUntil(count: number): Promise<void> {
  const [{ requests }] = total.parse(
    (await pool.query('SELECT count(*)::int AS requests FROM erasure_requests')).rows,
  );
  await pool.query(
    `CREATE TEMPORARY TABLE copies AS
     SELECT 'er_' || replace(gen_random_uuid()::text, '-', '') AS er, 'tk_' || replace(gen_random_uuid()::text, '-', '') AS tk
     FROM generate_series(1, ${count - requests})`,
  );
  for (const [table, order, changes] of [
    ['erasure_requests', 'id', "jsonb_build_object('id', er)"],
    ['request_subjects', 'request_id', "jsonb_build_object('request_id', er)"],
    ['tasks', 'request_id', "jsonb_build_object('id', tk, 'request_id', er)"],
    ['audit_events', 'request_id', "jsonb_build_object('request_id', er)"],
  ] as const) {
    await pool.query(
      `INSERT INTO ${table} SELECT (jsonb_populate_record(NULL::${table}, to_jsonb(original) || ${changes})).*
       FROM copies, (SELECT * FROM ${table} WHERE ${order} = (SELECT ${order} FROM ${table} ORDER BY ${order} LIMIT 1)) AS original`,
    );
  }
  await pool.query(
    `INSERT INTO work (request_id, task_id, connection, project_key, kind, run_at, reason)
     SELECT er, tk, connection, project_key, kind, run_at, reason FROM copies, (SELECT * FROM work LIMIT 1) AS original`,
  );
  await pool.query('DROP TABLE copies');
  await pool.query('VACUUM ANALYZE');
}

async function idle(env: Record<string, string>): Promise<Cost> {
  const workers = [1, 2].map(() => startLethe('worker', env, { cwd: folder }));
  try {
    await Promise.all(workers.map((worker) => worker.says('the worker runs')));
    while ((await pool.query('SELECT FROM unsealed_events LIMIT 1')).rowCount !== 0) await sleep(200);
    await sleep(SETTLE_MS);
    const before = await cpuOf(workers.map(({ child }) => child.pid ?? 0));
    await sleep(IDLE_MS);
    const after = await cpuOf(workers.map(({ child }) => child.pid ?? 0));
    return {
      redisBytes: await redisMemory(),
      cpuSeconds: after - before,
      databaseBytes: await databaseSize(),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

/** User and system time so far, in seconds, of all of them. */
async function cpuOf(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

async function redisMemory(): Promise<number> {
  const client = new Redis(redis.url);
  try {
    return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
  } finally {
    client.disconnect();
  }
}

async function databaseSize(): Promise<number> {
  const { rows } = await pool.query('SELECT pg_database_size(current_database()) AS bytes');
  return size.parse(rows)[0].bytes;
}

function report(few: Cost, many: Cost): void {
  const ratios = [
    ['memory of Redis', few.redisBytes / 1_048_576, many.redisBytes / 1_048_576, 'MiB'],
    [`processor time of 2 workers in ${IDLE_MS / 1_000} s`, few.cpuSeconds, many.cpuSeconds, 's'],
  ] as const;
  for (const [what, little, much, unit] of ratios) {
    const ratio = much / little;
    console.log(
      `${what}: ${little.toFixed(2)} ${unit} with ${FEW} waiting, ${much.toFixed(2)} with ${MANY}; ${ratio.toFixed(2)} times`,
    );
    if (ratio > AT_MOST) process.exitCode = 1;
  }
  const growth = (many.databaseBytes - few.databaseBytes) / (MANY - FEW);
  console.log(
    `database: ${Math.round(growth)} bytes for each task that waits, its request and events included`,
  );
}
