import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import { migrate } from '../../db/migrate.ts';
import { setUpRoles } from '../../db/set-up-roles.ts';
import { createApiKey } from '../../src/app/create-api-key.ts';
import { choosePort } from '../../src/embedded/free-port.ts';
import { encodeEvent } from '../../src/evidence/encode-event.ts';
import { newId, newToken } from '../../src/ids.ts';
import { createPool } from '../../src/store/connection.ts';
import { createStore } from '../../src/store/store.ts';
import { TOKEN } from './openreplay-messages.ts';
import type { SoakOptions } from './options.ts';
import { OpenReplayServer, PostgresServer, RedisServer } from './servers.ts';
import { Supervised } from './supervised.ts';

/** All that the soak has started. */
export interface Environment {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly openReplay: OpenReplayServer;
  readonly pool: pg.Pool;
  readonly api: Supervised;
  readonly workers: readonly Supervised[];
  /** Where the API is, and the key for it. */
  readonly url: string;
  readonly token: string;
}

type Undo = () => Promise<unknown>;

/** Starts everything, does `work` and stops everything, however it ends. Ctrl-C and SIGTERM end it early. */
export async function withEnvironment<T>(
  options: SoakOptions,
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'lethe-soak-')));
  // As root, Postgres runs as another user and has to get in.
  await chmod(folder, 0o755);
  const undo: Undo[] = [() => rm(folder, { recursive: true, force: true })];
  undo.push(startReaper(folder));
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        reject(new Error(`stopped by ${signal}`));
      });
  });
  try {
    return await Promise.race([interrupted, start(options, folder, undo).then(work)]);
  } finally {
    // What cannot be stopped any more keeps nothing else from being stopped.
    for (const step of undo.toReversed()) await step().catch(() => undefined);
  }
}

/** Should the soak itself be killed, this stops its servers. */
function startReaper(folder: string): Undo {
  const program = path.join(process.cwd(), 'test', 'support', 'environment-reaper.js');
  const stdio: ['pipe', 'ignore', 'ignore'] = ['pipe', 'ignore', 'ignore'];
  const reaper = spawn(process.execPath, [program, folder], { stdio, detached: true, env: {} });
  reaper.unref();
  return () =>
    new Promise<void>((resolve) => {
      reaper.stdin.end('done', () => {
        resolve();
      });
    });
}

async function start(options: SoakOptions, folder: string, undo: Undo[]): Promise<Environment> {
  const openReplay = await OpenReplayServer.start(options);
  undo.push(() => openReplay.stop());
  const postgres = await PostgresServer.start(folder);
  undo.push(() => postgres.stop());
  const redis = options.queue === 'redis' ? await RedisServer.start(folder) : undefined;
  if (redis !== undefined) undo.push(() => redis.stop());
  const { serviceUrl, migrationUrl } = await setUpRoles(postgres.url);
  await migrate(migrationUrl);
  const pool = createPool({ connectionString: postgres.url, max: 4, applicationName: 'soak' });
  undo.push(() => pool.end());
  const token = await makeKey(pool);
  // No file remembers a port, so it is any free one; the API has the same one in each of its lives.
  const port = await choosePort(path.join(folder, 'api-port'));
  const env = await writeConfig(folder, { port, openReplay, postgres, serviceUrl, redis });
  const api = new Supervised('the API', 'api', env);
  const workers = [1, 2].map((number) => new Supervised(`worker ${number}`, 'worker', env));
  undo.push(() => Promise.all([api, ...workers].map((process) => process.stop())));
  return { postgres, redis, openReplay, pool, api, workers, token, url: `http://127.0.0.1:${port}` };
}

async function makeKey(pool: pg.Pool): Promise<string> {
  const deps = { store: createStore(pool), newId, newToken, encodeEvent };
  const { token } = await createApiKey(deps, { name: 'soak', scopes: ['admin'] }, 'local');
  return token;
}

interface Parts {
  readonly port: number;
  readonly openReplay: OpenReplayServer;
  readonly postgres: PostgresServer;
  readonly serviceUrl: string;
  readonly redis: RedisServer | undefined;
}

/** On Redis as production has it; without, the embedded default, whose processes find or start Postgres themselves. */
async function writeConfig(folder: string, parts: Parts): Promise<Record<string, string>> {
  const { port, openReplay, postgres, serviceUrl, redis } = parts;
  const file = path.join(folder, 'lethe.yaml');
  const servers =
    redis === undefined
      ? ''
      : `databaseUrl: ${serviceUrl}\nredisUrl: ${redis.url}\nmasterKey: ${randomBytes(32).toString('base64')}\n`;
  await writeFile(
    file,
    `${servers}dataDirectory: ${postgres.directory}
server: { port: ${port} }
api: { rateLimit: { requests: 1000000 } }
connections:
  - name: default
    url: ${openReplay.url}
    apiKey: ${TOKEN}
    concurrency: 16
    connectTimeoutMs: 1000
    responseTimeoutMs: 1500
polling: { minIntervalMs: 300, maxIntervalMs: 2000 }
verification: { retryMs: 300, settleMs: 3000 }
retry: { baseMs: 100, maxMs: 2000 }
breaker: { failures: 8, baseMs: 200, maxMs: 2000 }
jobs: { overdueMs: 6000, stalledMs: 10000 }
policy: { waitForLiveMinutes: 0 }
worker: { leaseMs: 3000, handOutMs: 5000, dispatchIntervalMs: 100, drainMs: 5000 }
log: { level: debug }
`,
  );
  return { LETHE_CONFIG: file };
}
