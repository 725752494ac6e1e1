import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startWorkerOf } from '../../../workers/start-worker-of.ts';
import { createApiKey } from '../../app/create-api-key.ts';
import { listRequests } from '../../app/show-request.ts';
import { submitRequest } from '../../app/submit-request.ts';
import { openCore, type Core } from '../../composition.ts';
import { loadConfig, type Config } from '../../config.ts';
import { startEmbeddedPostgres } from '../../embedded/start-embedded-postgres.ts';
import { createLogger } from '../../log.ts';
import { wipeQueue } from '../../queue/queue-backend.ts';
import { createSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { codeOf, fail, ok, type Finding } from './finding.ts';

const PART = 'drill';
const PROJECT = 'drillProject00000000';
const ERASURES = 40;
const BYSTANDERS = 5;
const PATIENCE_MS = 60_000;
const CONNECTION = 'default';

/** Quick enough to be waited for; one step at a time, so that most of the work is in the queue when it is wiped. */
const PACE = {
  polling: { minIntervalMs: 100, maxIntervalMs: 500, fraction: 0.25 },
  verification: { retryMs: 100, settleMs: 5_000, requireUserAbsent: true },
} as const;
const WORKER = {
  leaseMs: 5_000,
  handOutMs: 2_000,
  dispatchIntervalMs: 50,
  maxHandedOut: 1_000,
  drainMs: 5_000,
} as const;

/**
 * Erases people of a sandbox through a scratch database and a scratch queue on the servers of the configuration, empties
 * the queue in the middle of it, and sees whether everybody is erased all the same. Nothing of it is left behind, and
 * OpenReplay is not called.
 */
export async function drill(config: Config): Promise<Finding> {
  try {
    return await withDatabase(config, (url) => withFolder((folder) => perform(config, url, folder)));
  } catch (error) {
    return fail(
      PART,
      `The drill could not be done (${codeOf(error)}).`,
      'It needs a role that may create databases, and everything above to be ok.',
    );
  }
}

async function withDatabase<T>(config: Config, work: (url: string) => Promise<T>): Promise<T> {
  const server = config.database.kind === 'url' ? undefined : await startEmbeddedPostgres(config.database);
  const adminUrl = config.database.kind === 'url' ? config.database.url : (server?.connectionString ?? '');
  const name = `lethe_drill_${randomBytes(6).toString('hex')}`;
  try {
    await onServer(adminUrl, `CREATE DATABASE ${name} TEMPLATE template0`);
    try {
      const url = new URL(adminUrl);
      url.pathname = `/${name}`;
      return await work(url.href);
    } finally {
      await onServer(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    }
  } finally {
    await server?.stop();
  }
}

async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lethe-drill-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function perform(config: Config, databaseUrl: string, folder: string): Promise<Finding> {
  const token = randomUUID();
  const sandbox = createSandbox({ personality: 'real', token, jobDelayMs: 500, analyticsLagMs: 200 });
  sandbox.addProject(PROJECT);
  for (const userId of [...usersOf('subject', ERASURES), ...usersOf('bystander', BYSTANDERS)])
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
  try {
    const world = { url: await sandbox.start(), token, databaseUrl, folder };
    const core = await openCore(scratch(config, world), {
      role: 'drill',
      logger: createLogger({ level: 'silent', name: 'lethe-drill' }),
    });
    try {
      return await wipeInMidRun(core, sandbox);
    } finally {
      await wipeQueue(core.queue, CONNECTION);
      await core.close();
    }
  } finally {
    await sandbox.stop();
  }
}

function usersOf(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, number) => `${name}-${number}`);
}

/** The configuration with the same servers and everything of its own on them. */
function scratch(
  config: Config,
  world: { url: string; token: string; databaseUrl: string; folder: string },
): Config {
  const { connections } = loadConfig(
    {
      DATABASE_URL: world.databaseUrl,
      LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
      OPENREPLAY_URL: world.url,
      OPENREPLAY_API_KEY: world.token,
    },
    { cwd: world.folder },
  );
  return {
    ...config,
    ...PACE,
    connections: connections.map((one) => ({ ...one, concurrency: 1 })),
    database: { kind: 'url', url: world.databaseUrl, migrationUrl: undefined },
    queuePrefix: `lethe-drill-${randomBytes(6).toString('hex')}`,
    masterKey: randomBytes(32),
    dataDirectory: world.folder,
    journal: { directory: join(world.folder, 'journal'), keepDays: 1 },
    policy: { ...config.policy, rules: [], waitForLiveMinutes: 0 },
    worker: WORKER,
  };
}

async function wipeInMidRun(core: Core, sandbox: Sandbox): Promise<Finding> {
  const { id: apiKeyId } = await createApiKey(
    core.deps,
    { name: 'drill', scopes: ['requests:write'] },
    'local',
  );
  const worker = await startWorkerOf(core);
  try {
    for (const userId of usersOf('subject', ERASURES)) {
      await submitRequest(
        core.deps,
        { subject: { userId }, projectKeys: [PROJECT] },
        { apiKeyId, channel: 'api', idempotencyKey: undefined },
      );
    }
    const lost = await wipeWhenBusy(core, sandbox);
    const done = await completed(core);
    return judge({ lost, done, sandbox });
  } finally {
    await worker.stop();
  }
}

/** Waits until something was asked of OpenReplay and something waits in the queue, and empties it. */
async function wipeWhenBusy(core: Core, sandbox: Sandbox): Promise<number> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let lost = 0; ;) {
    if (sandbox.deletionsAsked.length > 0) lost = await wipeQueue(core.queue, CONNECTION);
    if (lost > 0 || Date.now() > deadline) return lost;
    await sleep(5);
  }
}

/** How many are completed, once all are or the patience is over. */
async function completed({ deps }: Core): Promise<number> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await listRequests(deps, { limit: ERASURES, state: 'completed' });
    if (items.length === ERASURES || Date.now() > deadline) return items.length;
    await sleep(100);
  }
}

function judge({ lost, done, sandbox }: { lost: number; done: number; sandbox: Sandbox }): Finding {
  const left = usersOf('subject', ERASURES).filter((userId) => sandbox.hasUser(PROJECT, userId)).length;
  const kept = usersOf('bystander', BYSTANDERS).filter((userId) => sandbox.hasUser(PROJECT, userId)).length;
  const wiped = `The queue was emptied with ${lost} job${lost === 1 ? '' : 's'} in it`;
  if (lost > 0 && done === ERASURES && left === 0 && kept === BYSTANDERS)
    return ok(PART, `${wiped}; all ${ERASURES} erasures of a scratch database were completed and verified.`);
  return fail(
    PART,
    `${wiped}; ${done} of ${ERASURES} erasures were completed, ${left} people were left and ${BYSTANDERS - kept} others lost.`,
    lost === 0 ? 'The queue was never behind: try again.' : 'Tell the makers of Lethe, with this line.',
  );
}
