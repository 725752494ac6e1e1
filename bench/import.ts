import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import pg from 'pg';
import { z } from 'zod';
import { migrate } from '../db/migrate.ts';
import { createApiKey } from '../src/app/create-api-key.ts';
import { startEmbeddedPostgres } from '../src/embedded/start-embedded-postgres.ts';
import { encodeEvent } from '../src/evidence/encode-event.ts';
import { newId, newToken } from '../src/ids.ts';
import { createStore } from '../src/store/store.ts';
import { startLethe, type LetheProcess } from '../test/support/lethe-process.ts';

/**
 * `npm run bench:import`: 100,000 rows of CSV into a real API process, on DATABASE_URL or an embedded Postgres with its
 * usual settings, in a database of its own. Fails when the API process took more memory than it may. For comparison, bare
 * inserts of what the rows say, without anything that makes a request of them.
 */
const ROWS = 100_000;
const BATCH = 500;
const RSS_MAX_MB = 300;

interface Row {
  readonly userId: string;
  readonly reference: string;
  readonly receivedAt: string;
}

function* rows(): Generator<Row> {
  for (let index = 0; index < ROWS; index += 1) {
    const day = String(1 + (index % 28)).padStart(2, '0');
    yield {
      userId: `customer-${index}@example.org`,
      reference: `TICKET-${index}`,
      receivedAt: `2026-03-${day}T09:30:00Z`,
    };
  }
}

function* csv(): Generator<Buffer> {
  let text = 'userId,reference,receivedAt\n';
  for (const { userId, reference, receivedAt } of rows()) {
    text += `${userId},${reference},${receivedAt}\n`;
    if (text.length < 65_536) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

const answer = z.object({ state: z.string(), accepted: z.number() });

/** Seconds for the import, until it is answered. */
async function importAll(port: number, token: string): Promise<number> {
  const begun = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/v1/imports`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/csv' },
    body: Readable.toWeb(Readable.from(csv(), { objectMode: false })),
    duplex: 'half',
  });
  const { state, accepted } = answer.parse(await response.json());
  if (state !== 'completed' || accepted !== ROWS) throw new Error(`${state}, ${accepted} rows accepted`);
  return (performance.now() - begun) / 1_000;
}

/** Seconds for bare inserts of the same rows, in as many transactions. */
async function insertAll(pool: pg.Pool): Promise<number> {
  await pool.query(
    'CREATE TABLE baseline (id text PRIMARY KEY, user_id text, reference text, received_at timestamptz)',
  );
  const begun = performance.now();
  let batch: Row[] = [];
  for (const row of rows()) {
    if (batch.push(row) < BATCH) continue;
    await pool.query(
      'INSERT INTO baseline SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])',
      [
        batch.map(() => newId('er')),
        batch.map(({ userId }) => userId),
        batch.map(({ reference }) => reference),
        batch.map(({ receivedAt }) => receivedAt),
      ],
    );
    batch = [];
  }
  return (performance.now() - begun) / 1_000;
}

/** The most memory that the process ever had resident, in MB; undefined where the system does not tell. */
async function peakMemory({ child }: LetheProcess): Promise<number | undefined> {
  const status = await readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').catch(() => '');
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1_024;
}

async function measure(databaseUrl: string, folder: string): Promise<void> {
  await migrate(databaseUrl);
  const pool = new pg.Pool({ connectionString: databaseUrl });
  const deps = { store: createStore(pool), newId, newToken, encodeEvent };
  const { token } = await createApiKey(deps, { name: 'bench', scopes: ['requests:write'] }, 'local');
  const api = startLethe(
    'api',
    {
      DATABASE_URL: databaseUrl,
      LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
      // Nobody answers there; nothing is asked.
      OPENREPLAY_URL: 'http://127.0.0.1:9',
      OPENREPLAY_API_KEY: 'bench',
      PORT: '0',
    },
    { cwd: folder },
  );
  try {
    const said = await api.says(/"port":\d+.*the API listens/);
    const idle = await peakMemory(api);
    const seconds = await importAll(Number(/"port":(\d+)/.exec(said)?.[1]), token);
    const peak = await peakMemory(api);
    const bare = await insertAll(pool);
    report({ seconds, bare, idle, peak });
  } finally {
    await api.stop();
    await pool.end();
  }
}

function report(of: {
  seconds: number;
  bare: number;
  idle: number | undefined;
  peak: number | undefined;
}): void {
  const { seconds, bare, idle, peak } = of;
  const speed = (time: number) => `${Math.round(ROWS / time)} rows/s (${time.toFixed(1)} s)`;
  const memory = (megabytes: number | undefined) =>
    megabytes === undefined ? 'not known here' : `${Math.round(megabytes)} MB`;
  console.log(`import        ${speed(seconds)}`);
  console.log(`bare inserts  ${speed(bare)}; the import takes ${(seconds / bare).toFixed(1)} times as long`);
  console.log(
    `peak memory   ${memory(peak)} of the API process (${memory(idle)} before, at most ${RSS_MAX_MB})`,
  );
  if ((peak ?? 0) > RSS_MAX_MB) process.exitCode = 1;
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

const folder = await mkdtemp(path.join(tmpdir(), 'lethe-bench-'));
// As root, Postgres runs as another user and has to get in.
await chmod(folder, 0o755);
const given = process.env['DATABASE_URL'];
const postgres = given
  ? undefined
  : await startEmbeddedPostgres({ directory: path.join(folder, 'postgres') });
try {
  await inDatabase(given ?? postgres?.connectionString ?? '', (url) => measure(url, folder));
} finally {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
}
