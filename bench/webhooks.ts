import { fork, type ChildProcess } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import pg from 'pg';
import { stringify } from 'yaml';
import { z } from 'zod';
import { migrate } from '../db/migrate.ts';
import { startEmbeddedPostgres } from '../src/embedded/start-embedded-postgres.ts';
import { createPool } from '../src/store/connection.ts';
import { startLethe } from '../test/support/lethe-process.ts';
import { findRedisProgram, startRedisServer, type RedisServer } from '../test/support/redis-server.js';

/**
 * `npm run bench:webhooks`: 20,000 deliveries of one source, one in fifty of which becomes a request, to an API process while a
 * worker judges them; and, in the same run and on the same Postgres (DATABASE_URL or an embedded one with its usual settings), as
 * many calls of a bare Express route that inserts one row. Both in rounds, one after the other, so that neither has the better
 * moments. Fails when a delivery is lost, or when the API has less than half of the bare route's throughput. The queue is on
 * Redis, as in production: REDIS_URL, or one of its own where Redis is installed. BENCH_QUEUE=postgres puts it on Postgres, which
 * the worker then shares with the API. BENCH_DELIVERIES=N makes it another number.
 */
const DELIVERIES = Number(process.env['BENCH_DELIVERIES'] ?? 20_000);
const ROUNDS = 4;
/** Calls at a time, each over a connection of its own that stays open. */
const AT_A_TIME = 32;
const REQUEST_EVERY = 50;
const LEAST_SHARE = 0.5;
const KEY = randomBytes(32);

interface Sent {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** As large as a ticket with its usual fields. */
function ticket(number: number): object {
  const labels = number % REQUEST_EVERY === 0 ? ['gdpr-erasure', 'web'] : ['billing', 'web'];
  return {
    type: 'ticket.created',
    data: {
      id: `T-${number}`,
      labels,
      customer: { id: `user-${number}`, email: `customer-${number}@example.org` },
      description: 'Lorem ipsum dolor sit amet, consectetur adipiscing elit. '.repeat(20),
    },
  };
}

/** Signed before the time is taken. */
function deliveries(from: number, count: number): readonly Sent[] {
  const seconds = String(Math.floor(Date.now() / 1_000));
  return Array.from({ length: count }, (_, index) => {
    const id = `msg_${from + index}`;
    const body = Buffer.from(JSON.stringify(ticket(from + index)));
    const mac = createHmac('sha256', KEY).update(`${id}.${seconds}.`).update(body).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': seconds,
      'webhook-signature': `v1,${mac}`,
    };
    return { path: '/webhooks/bench', headers, body };
  });
}

/** What one side took: all in all, and each answer, in ms. */
interface Took {
  ms: number;
  readonly answers: number[];
}

async function load(port: number, calls: readonly Sent[], took: Took): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_A_TIME });
  const left = [...calls];
  const send = async () => {
    for (let call = left.pop(); call !== undefined; call = left.pop()) {
      const begun = performance.now();
      const status = await statusOf(port, agent, call);
      if (status !== 202) throw new Error(`answered with ${status}`);
      took.answers.push(performance.now() - begun);
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: AT_A_TIME }, send));
  took.ms += performance.now() - begun;
  agent.destroy();
}

function statusOf(port: number, agent: http.Agent, { path: target, headers, body }: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      ...{ host: '127.0.0.1', port, agent, method: 'POST', path: target },
      headers: { ...headers, 'content-length': String(body.length) },
    });
    request.once('error', reject);
    request.once('response', (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode ?? 0);
      });
    });
    request.end(body);
  });
}

/** The bare route, in a process of its own: what one has who does nothing but insert one row. */
async function runBare(databaseUrl: string): Promise<void> {
  const pool = createPool({ connectionString: databaseUrl, max: 20, applicationName: 'bare' });
  await pool.query(
    'CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)',
  );
  const app = express();
  app.post('/webhooks/bench', express.raw({ type: () => true, limit: '1mb' }), async (req, res) => {
    await pool.query('INSERT INTO bare (body) VALUES ($1)', [req.body]);
    res.status(202).json({ ok: true });
  });
  const server = app.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
  });
  await once(process, 'disconnect');
  server.close();
  server.closeAllConnections();
  await pool.end();
}

async function startBare(databaseUrl: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(process.argv[1] ?? '', ['bare', databaseUrl]);
  const started: unknown[] = await once(child, 'message');
  return { child, port: z.object({ port: z.number() }).parse(started[0]).port };
}

const CONFIG = {
  server: { port: 0 },
  databaseUrl: '${BENCH_DATABASE}',
  masterKey: '${BENCH_MASTER_KEY}',
  // Nobody answers there; requests wait for a person first.
  connections: [{ name: 'default', url: 'http://127.0.0.1:9', apiKey: 'bench' }],
  intake: {
    sources: [
      {
        name: 'bench',
        kind: 'standard-webhooks',
        secrets: ['${BENCH_SECRET}'],
        rateLimit: { requests: 1_000_000 },
        condition: [{ pointer: '/data/labels', is: 'gdpr-erasure' }],
        map: { ticket: '/data/id', userId: '/data/customer/id', email: '/data/customer/email' },
      },
    ],
  },
  log: { level: 'info' },
};

async function environment(
  databaseUrl: string,
  folder: string,
  redisUrl: string | undefined,
): Promise<Record<string, string>> {
  const file = path.join(folder, 'lethe.yaml');
  await writeFile(file, stringify(CONFIG));
  return {
    LETHE_CONFIG: file,
    BENCH_DATABASE: databaseUrl,
    BENCH_MASTER_KEY: randomBytes(32).toString('base64'),
    BENCH_SECRET: `whsec_${KEY.toString('base64')}`,
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
  };
}

async function measure(databaseUrl: string, folder: string, redisUrl: string | undefined): Promise<void> {
  await migrate(databaseUrl);
  const pool = createPool({ connectionString: databaseUrl, max: 2, applicationName: 'bench' });
  const env = await environment(databaseUrl, folder, redisUrl);
  const bare = await startBare(databaseUrl);
  const api = startLethe('api', env, { cwd: folder });
  const worker = startLethe('worker', env, { cwd: folder });
  try {
    const port = await portOf(api);
    const sides = { ours: { ms: 0, answers: [] }, bare: { ms: 0, answers: [] } } satisfies Record<
      string,
      Took
    >;
    const each = DELIVERIES / ROUNDS;
    // Whatever is compiled at first is compiled for both.
    await load(bare.port, deliveries(-1_000, 500), { ms: 0, answers: [] });
    await load(port, deliveries(-1_000, 500), { ms: 0, answers: [] });
    for (let round = 0; round < ROUNDS; round += 1) {
      await load(port, deliveries(round * each, each), sides.ours);
      await judged(pool);
      await load(bare.port, deliveries(round * each, each), sides.bare);
    }
    console.log(`queue         ${redisUrl === undefined ? 'Postgres' : 'Redis'}`);
    await report(pool, sides);
  } finally {
    bare.child.disconnect();
    await Promise.all([api.stop(), worker.stop()]);
    await pool.end();
  }
}

async function portOf(api: ReturnType<typeof startLethe>): Promise<number> {
  const said = await api.says(/"port":\d+.*the API listens/);
  return Number(/"port":(\d+)/.exec(said)?.[1]);
}

const counted = z.tuple([z.object({ count: z.number() })]);
async function count(pool: pg.Pool, sql: string): Promise<number> {
  return counted.parse((await pool.query(sql)).rows)[0].count;
}

/** The rest of the round is judged, so that the bare route has the machine for itself. */
async function judged(pool: pg.Pool): Promise<void> {
  const deadline = Date.now() + 600_000;
  while ((await count(pool, 'SELECT count(*)::int AS count FROM webhook_deliveries')) > 0) {
    if (Date.now() > deadline) throw new Error('deliveries are not judged');
    await sleep(200);
  }
}

function percentile({ answers }: Took, share: number): number {
  const sorted = answers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? 0;
}

async function report(pool: pg.Pool, sides: { readonly ours: Took; readonly bare: Took }): Promise<void> {
  const requests = await count(
    pool,
    `SELECT count(*)::int AS count FROM erasure_requests WHERE reference !~ '^T--'`,
  );
  const told = await count(pool, 'SELECT COALESCE(sum(count), 0)::int AS count FROM webhook_counts');
  const speed = ({ ms }: Took) => DELIVERIES / (ms / 1_000);
  const share = speed(sides.ours) / speed(sides.bare);
  const line = (name: string, took: Took) => {
    const [median, slow] = [percentile(took, 0.5), percentile(took, 0.99)];
    console.log(
      `${name}  ${Math.round(speed(took))}/s, answers in ${median.toFixed(1)} ms (median), ${slow.toFixed(1)} ms (p99)`,
    );
  };
  line('webhooks    ', sides.ours);
  line('bare route  ', sides.bare);
  const p99 = percentile(sides.ours, 0.99) / percentile(sides.bare, 0.99);
  console.log(
    `ratios        throughput ${share.toFixed(2)} (at least ${LEAST_SHARE}), p99 ${p99.toFixed(2)}`,
  );
  console.log(
    `judged        ${told - 500} of ${DELIVERIES}, ${requests} of ${DELIVERIES / REQUEST_EVERY} became requests`,
  );
  const lost = told - 500 !== DELIVERIES || requests !== DELIVERIES / REQUEST_EVERY;
  if (lost || share < LEAST_SHARE) process.exitCode = 1;
}

async function inDatabase(adminUrl: string, work: (url: string) => Promise<void>): Promise<void> {
  const name = `lethe_bench_${randomBytes(4).toString('hex')}`;
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${name}`);
    const url = new URL(adminUrl);
    url.pathname = `/${name}`;
    await work(url.href).finally(() => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
  } finally {
    await admin.end();
  }
}

/** One for this run, unless another is given or none is wanted. */
async function ownRedis(folder: string): Promise<RedisServer | undefined> {
  const isWanted = process.env['REDIS_URL'] === undefined && process.env['BENCH_QUEUE'] !== 'postgres';
  if (!isWanted || findRedisProgram() === undefined) return undefined;
  return startRedisServer({ directory: path.join(folder, 'redis') });
}

async function runBench(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lethe-bench-'));
  // As root, Postgres runs as another user and has to get in.
  await chmod(folder, 0o755);
  const given = process.env['DATABASE_URL'];
  const postgres = given
    ? undefined
    : await startEmbeddedPostgres({ directory: path.join(folder, 'postgres') });
  const redis = await ownRedis(folder);
  const redisUrl =
    process.env['BENCH_QUEUE'] === 'postgres' ? undefined : (process.env['REDIS_URL'] ?? redis?.url);
  try {
    await inDatabase(given ?? postgres?.connectionString ?? '', (url) => measure(url, folder, redisUrl));
  } finally {
    await redis?.stop();
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'bare') await runBare(process.argv[3] ?? '');
else await runBench();
