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
import { createPool } from '../src/store/connection.ts';
import { createStore } from '../src/store/store.ts';
import { CSV_COLUMNS } from '../src/http/csv-rows.ts';
import { startLethe, type LetheProcess } from '../test/support/lethe-process.ts';

/**
 * `npm run bench:import`: 100,000 rows of CSV into a real API process, on DATABASE_URL or an embedded Postgres with its
 * usual settings, in a database of its own. Fails when the API process took more memory than it may. For comparison, the
 * same run inserts as many rows of as many columns as the file has, and as a request has, many a statement, without anything that makes a
 * request of them. A request is more: its events, pseudonym and claim are four rows beside it.
 */
const ROWS = 100_000;
const BATCH = 500;
const RSS_MAX_MB = 300;

function* rows(): Generator<readonly string[]> {
  for (let index = 0; index < ROWS; index += 1) {
    const receivedAt = `2026-03-${String(1 + (index % 28)).padStart(2, '0')}T09:30:00Z`;
    yield [
      ...[`customer-${index}@example.org`, '', '', 'default', 'gdpr'],
      ...[receivedAt, `TICKET-${index}`, 'asked by letter'],
    ];
  }
}

function* csv(): Generator<Buffer> {
  let text = `${CSV_COLUMNS.join(',')}\n`;
  for (const row of rows()) {
    text += `${row.join(',')}\n`;
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

/** Seconds for bare inserts of as many rows of `columns` texts, in as many transactions. */
async function insertAll(pool: pg.Pool, columns: number): Promise<number> {
  const names = Array.from({ length: columns }, (_, index) => `c${index}`);
  const table = `baseline_${columns}`;
  await pool.query(
    `CREATE TABLE ${table} (id text PRIMARY KEY, ${names.map((name) => `${name} text`).join(', ')})`,
  );
  const statement = `INSERT INTO ${table} SELECT * FROM unnest(${['id', ...names].map((_, at) => `$${at + 1}::text[]`).join(', ')})`;
  const begun = performance.now();
  let batch: (readonly string[])[] = [];
  for (const row of rows()) {
    if (batch.push(row) < BATCH) continue;
    const full = batch;
    await pool.query(statement, [
      full.map(() => newId('er')),
      ...names.map((_, at) => full.map((values) => values[at % CSV_COLUMNS.length])),
    ]);
    batch = [];
  }
  return (performance.now() - begun) / 1_000;
}

const counted = z.tuple([z.object({ columns: z.number() })]);
async function columnsOfRequest(pool: pg.Pool): Promise<number> {
  const { rows: found } = await pool.query(
    "SELECT count(*)::int AS columns FROM information_schema.columns WHERE table_name = 'erasure_requests'",
  );
  return counted.parse(found)[0].columns;
}

/** The most memory that the process ever had resident, in MB; undefined where the system does not tell. */
async function peakMemory({ child }: LetheProcess): Promise<number | undefined> {
  const status = await readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').catch(() => '');
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1_024;
}

async function measure(databaseUrl: string, folder: string): Promise<void> {
  await migrate(databaseUrl);
  const pool = createPool({ connectionString: databaseUrl, max: 2, applicationName: 'bench' });
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
    const ofRequest = await columnsOfRequest(pool);
    const bare: Bare[] = [];
    for (const columns of [CSV_COLUMNS.length, ofRequest])
      bare.push({ columns, seconds: await insertAll(pool, columns) });
    report({ seconds, bare, idle, peak });
  } finally {
    await api.stop();
    await pool.end();
  }
}

interface Bare {
  readonly columns: number;
  readonly seconds: number;
}

function report(of: {
  seconds: number;
  bare: readonly Bare[];
  idle: number | undefined;
  peak: number | undefined;
}): void {
  const { seconds, bare, idle, peak } = of;
  const speed = (time: number) => `${Math.round(ROWS / time)} rows/s (${time.toFixed(1)} s)`;
  const memory = (megabytes: number | undefined) =>
    megabytes === undefined ? 'not known here' : `${Math.round(megabytes)} MB`;
  console.log(`import                    ${speed(seconds)}`);
  for (const { columns, seconds: time } of bare) {
    const ratio = (seconds / time).toFixed(1);
    console.log(`bare inserts, ${columns} columns  ${speed(time)}; the import takes ${ratio} times as long`);
  }
  console.log(
    `peak memory               ${memory(peak)} of the API process (${memory(idle)} before, at most ${RSS_MAX_MB})`,
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
