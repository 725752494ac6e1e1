import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createClocks } from '../../src/calendar/clocks.ts';
import type { PolicyRule } from '../../src/config.ts';
import { policyOf } from '../../src/policy-of.ts';
import { createApiKey } from '../../src/app/create-api-key.ts';
import type { Connection, Deps } from '../../src/app/ports.ts';
import type { WrappedKey } from '../../src/app/ports/vault.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import { listRequests, showRequest } from '../../src/app/show-request.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import type { Pace } from '../../src/domain/pace.ts';
import { encodeEvent } from '../../src/evidence/encode-event.ts';
import { newId, newToken } from '../../src/ids.ts';
import { createFileJournal } from '../../src/journal/file-journal.ts';
import { createLogger } from '../../src/log.ts';
import { createOpenReplayClient } from '../../src/openreplay/client.ts';
import { callbackSigner } from '../../src/notify/callback-signer.ts';
import { createSender } from '../../src/notify/sender.ts';
import { openPublisher, type QueueOptions } from '../../src/queue/queue-backend.ts';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createConnectionGate, type GateOptions } from '../../src/app/connection-gate.ts';
import { createGateStore } from '../../src/store/connection-states.ts';
import { createPool } from '../../src/store/connection.ts';
import { createReportStore } from '../../src/store/reports.ts';
import { createStore } from '../../src/store/store.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { startWorker } from '../../workers/start-worker.ts';
import { openTestLog, type TestLog } from './log.ts';
import { createTestDatabase, createTestFolder, type TestDatabase } from './postgres.ts';
import type { QueueBackend } from './redis.ts';

export const PROJECT = 'stageProject00000000';
export const OTHER_PROJECT = 'otherProject00000000';

/** Times for tests: everything is looked at again within a fraction of a second. */
const QUICK: Pace = {
  polling: { minIntervalMs: 50, maxIntervalMs: 300, fraction: 0.25 },
  verification: { settleMs: 600, retryMs: 100, requireUserAbsent: true },
  retry: { baseMs: 50, maxMs: 300, patienceMs: 86_400_000, beforeDueMs: 259_200_000 },
  jobs: { overdueMs: 93_600_000, stalledMs: 180_000_000 },
  rounds: { max: 10, maxFailedJobs: 3 },
  waitForLiveMs: 0,
  sentinelAgesMs: [],
};

const WEEKDAYS = { timeZone: 'UTC', country: undefined, subdivision: undefined };
const WEEKENDS_ONLY = { gdpr: WEEKDAYS, uk_gdpr: WEEKDAYS, ccpa: WEEKDAYS };

export interface StageOptions {
  readonly backend: QueueBackend;
  /** How often everything that goes through the queue is delivered. */
  readonly deliveries?: 1 | 2;
  readonly sandbox?: Partial<SandboxOptions>;
  readonly pace?: Partial<Pace>;
  /** In place of the stage's own. */
  readonly parts?: Partial<Deps>;
  /** Servers beside the one of the connection `default`; the stage closes neither them nor their clients. */
  readonly moreConnections?: readonly Connection[];
  /** The allow-list of the connection. */
  readonly projects?: readonly string[];
  /** What must happen before a request may be carried out. */
  readonly rules?: readonly PolicyRule[];
  /** How access packages are gathered and kept. */
  readonly access?: Partial<Deps['access']>;
  /** How calls to the server of the connection are held back; false for not at all. */
  readonly gate?: Partial<GateOptions> | false;
  readonly withoutWorker?: boolean;
  /** Shared with worker processes that the test starts itself. */
  readonly masterKey?: Uint8Array;
  readonly otherMasterKeys?: readonly Uint8Array[];
  /** Those of another stage, as a database has them that was restored from its backup. */
  readonly vaultKeys?: readonly WrappedKey[];
}

/** The service on real parts inside this process: database, queue, worker, sandbox. */
export interface Stage {
  readonly sandbox: Sandbox;
  readonly database: TestDatabase;
  readonly deps: Deps;
  /** Nothing is sealed but by it. */
  readonly ledger: TestLog;
  readonly apiKeyId: string;
  readonly queue: QueueOptions;
  /** Where OpenReplay is reached. */
  readonly openReplayUrl: string;
  submit(userId: string, changes?: { projectKeys?: readonly string[] | undefined }): Promise<RequestView>;
  show(requestId: string): Promise<RequestView>;
  /** Waits until the request is closed or waits for a person. */
  settled(requestId: string, patienceMs?: number): Promise<RequestView>;
  /** Waits until every request there is has settled, and gives them by id; for many at once. */
  allSettled(patienceMs: number): Promise<ReadonlyMap<string, RequestView>>;
  /** Waits until `condition` holds for the request. */
  until(requestId: string, condition: (view: RequestView) => boolean): Promise<RequestView>;
  trail(requestId: string): Promise<readonly TrailEvent[]>;
  close(): Promise<void>;
}

const trailEvent = z.object({
  v: z.literal(1),
  seq: z.number(),
  type: z.string(),
  request_id: z.string(),
  task_id: z.string().nullable(),
  change: z.object({ from: z.string().nullable(), to: z.string() }).nullable(),
  data: z.record(z.string(), z.unknown()),
});
export type TrailEvent = z.infer<typeof trailEvent>;

const PATIENCE_MS = 30_000;

export async function openStage(options: StageOptions): Promise<Stage> {
  const { moreConnections = [] } = options;
  const log = createLogger({ level: process.env['LETHE_TEST_LOG'] ?? 'silent', name: 'stage' });
  const database = await createTestDatabase();
  const sandbox = createSandbox({
    personality: 'real',
    token: 'stage-token',
    jobDelayMs: 80,
    analyticsLagMs: 40,
    ...options.sandbox,
  });
  sandbox.addProject(PROJECT);
  sandbox.addProject(OTHER_PROJECT);
  const baseUrl = await sandbox.start();
  const pool = createPool({ connectionString: database.serviceUrl, max: 20, applicationName: 'stage' });
  const reportPool = createPool({
    connectionString: database.serviceUrl,
    max: 2,
    applicationName: 'stage-reports',
  });
  const client = createOpenReplayClient({
    baseUrl,
    apiKey: 'stage-token',
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 1_000,
    maxBodyBytes: 1_000_000,
    maxSockets: 30,
    ...(options.gate !== false && {
      gate: createConnectionGate({
        name: 'default',
        store: createGateStore(pool),
        pace: { failures: 8, baseMs: 100, maxMs: 1_000 },
        callIntervalMs: 0,
        callTimeoutMs: 2_000,
        log,
        ...options.gate,
      }),
    }),
  });
  const store = createStore(pool);
  const ledger = openTestLog(pool);
  await store.insertVaultKeys(options.vaultKeys ?? []);
  let nudge: () => void = () => undefined;
  const deps: Deps = {
    store,
    vault: await openVault(store, {
      masterKeys: [options.masterKey ?? randomBytes(32), ...(options.otherMasterKeys ?? [])],
      tenant: 'default',
    }),
    retentionMs: 30 * 86_400_000,
    intake: { sources: new Map(), maxBodyBytes: 262_144, keepUnmappableMs: 7 * 86_400_000 },
    encodeEvent,
    journal: createFileJournal({ directory: await createTestFolder(), keepDays: 1 }),
    reports: createReportStore(reportPool),
    callbackSigner,
    replyTargets: [],
    sender: createSender({
      hosts: ['*'],
      networks: ['127.0.0.0/8'],
      plainHttp: true,
      connectTimeoutMs: 1_000,
      responseTimeoutMs: 1_000,
      maxAnswerBytes: 1_000_000,
    }),
    ledger: { store: ledger.log, certifier: ledger.certifier },
    connections: new Map([
      [
        'default',
        {
          name: 'default',
          projects: options.projects ?? null,
          countSessionsBefore: true,
          api: client,
          records: client.records,
        },
      ],
      ...moreConnections.map((one): [string, Connection] => [one.name, one]),
    ]),
    pace: { ...QUICK, ...options.pace },
    maxMatches: 5,
    emailLocalPart: 'exact',
    ...createClocks(WEEKENDS_ONLY),
    policyFor: (from) => policyOf(options.rules ?? [], from),
    observedRounds: () => store.listObservedRounds([...deps.connections.keys()], 50),
    access: { expiresAfterMs: 60_000, pageSize: 200, callsPerStep: 40, ...options.access },
    leaseMs: 2_000,
    newId,
    newToken,
    random: Math.random,
    workIsDue: () => {
      nudge();
    },
    log,
    ...options.parts,
  };
  const { id: apiKeyId } = await createApiKey(deps, { name: 'stage', scopes: ['admin'] }, 'local');
  const queue = queueOptions(options.backend, database);
  const worker = options.withoutWorker
    ? undefined
    : await startWorker(deps, {
        queue,
        concurrency: new Map([...deps.connections.keys()].map((name) => [name, 8])),
        // Longer than any backlog of a test: handed out again, work is done once but taken twice.
        handOutMs: 20_000,
        dispatchIntervalMs: 25,
        maxHandedOut: 500,
        drainMs: 5_000,
        openPublisher: options.deliveries === 2 ? openDoublePublisher : openPublisher,
      });
  nudge = () => {
    worker?.nudge();
  };
  const until: Stage['until'] = (requestId, holds) =>
    waitUntil(deps, requestId, { holds, patienceMs: PATIENCE_MS });
  return {
    sandbox,
    database,
    deps,
    apiKeyId,
    queue,
    openReplayUrl: baseUrl,
    ledger,
    submit: async (userId, changes = { projectKeys: [PROJECT] }) => {
      const { requestId } = await submitRequest(
        deps,
        { subject: { userId }, ...changes },
        { apiKeyId, idempotencyKey: undefined, channel: 'api' },
      );
      return show(deps, requestId);
    },
    show: (requestId) => show(deps, requestId),
    settled: (requestId, patienceMs) =>
      waitUntil(deps, requestId, {
        holds: (view) => SETTLED.has(view.state),
        patienceMs: patienceMs ?? PATIENCE_MS,
      }),
    allSettled: (patienceMs) => allSettled({ deps, database }, patienceMs),
    until,
    trail: (requestId) => trail(deps, requestId),
    close: async () => {
      await worker?.stop();
      client.close();
      await Promise.all([pool.end(), reportPool.end()]);
      await sandbox.stop();
      await database.drop();
    },
  };
}

const SETTLED: ReadonlySet<string> = new Set(['completed', 'needs_attention', 'cancelled', 'refused']);

/** At least once is what a queue promises: here everything comes twice. */
const openDoublePublisher: typeof openPublisher = async (options, connection, settings) => {
  const publisher = await openPublisher(options, connection, settings);
  return { ...publisher, publish: (jobs) => publisher.publish([...jobs, ...jobs]) };
};

function queueOptions(backend: QueueBackend, database: TestDatabase): QueueOptions {
  return backend.name === 'redis'
    ? { kind: 'redis', url: backend.redisUrl, prefix: `t${randomBytes(6).toString('hex')}` }
    : { kind: 'postgres', connectionString: database.serviceUrl };
}

async function show(deps: Deps, requestId: string): Promise<RequestView> {
  const view = await showRequest(deps, requestId);
  if (view === undefined) throw new Error(`there is no request ${requestId}`);
  return view;
}

async function waitUntil(
  deps: Deps,
  requestId: string,
  condition: { holds: (view: RequestView) => boolean; patienceMs: number },
): Promise<RequestView> {
  const deadline = Date.now() + condition.patienceMs;
  for (;;) {
    const view = await show(deps, requestId);
    if (condition.holds(view)) return view;
    if (Date.now() > deadline) throw new Error(`waited in vain; last seen: ${JSON.stringify(view, null, 1)}`);
    await sleep(25);
  }
}

const countRow = z.tuple([z.object({ open: z.number() })]);

async function allSettled(
  { deps, database }: Pick<Stage, 'deps' | 'database'>,
  patienceMs: number,
): Promise<ReadonlyMap<string, RequestView>> {
  const deadline = Date.now() + patienceMs;
  const sql = 'SELECT count(*)::int AS open FROM erasure_requests WHERE state <> ALL ($1)';
  for (;;) {
    const [{ open }] = countRow.parse((await database.pool.query(sql, [[...SETTLED]])).rows);
    if (open === 0) break;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${open} requests have not settled`);
    await sleep(100);
  }
  const views = new Map<string, RequestView>();
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await listRequests(deps, { limit: 200, ...(cursor !== undefined && { before: cursor }) });
    for (const view of page.items) views.set(view.id, view);
    cursor = page.nextCursor;
  }
  return views;
}

async function trail(deps: Deps, requestId: string): Promise<readonly TrailEvent[]> {
  // Straight from the database: a reading through the service would itself leave an event.
  const bytes = await deps.store.listEventBytes(requestId, { after: -1, limit: 10_000 });
  return z
    .array(trailEvent)
    .parse(bytes?.map((event): unknown => JSON.parse(Buffer.from(event).toString('utf8'))));
}

const AFTER_THE_END =
  /^(subject\.read|certificate\.issued|package\.[a-z_]+|task\.sentinel_[a-z]+|request\.(ticket_changed|destruction_put_off|subject_destroyed))$/;

/**
 * What holds of every trail: no gap; each change starts from where the one before ended; the states it ends in are
 * the states that are stored; the event that closes a request counts those so far, and after it only readings come, looks at
 * who was erased, what becomes of its access package, and the destruction of its identifiers.
 */
export function checkTrail(view: RequestView, events: readonly TrailEvent[]): void {
  const problems: string[] = [];
  const states = new Map<string, string>();
  let closed = false;
  events.forEach((event, index) => {
    if (event.seq !== index) problems.push(`event ${index} has seq ${event.seq}`);
    if (closed && !AFTER_THE_END.test(event.type)) problems.push(`${event.type} comes after the end`);
    if (event.data['event_count'] !== undefined) {
      closed = true;
      if (event.data['event_count'] !== index + 1) problems.push('the closing event counts wrongly');
    }
    if (event.change === null) return;
    const of = event.task_id ?? event.request_id;
    const before = states.get(of) ?? null;
    if (before !== event.change.from)
      problems.push(`${event.type} starts from ${event.change.from}, not ${before}`);
    states.set(of, event.change.to);
  });
  for (const { id, state } of [view, ...view.tasks]) {
    if (states.get(id) !== state) problems.push(`${id} is ${state}, but its trail ends in ${states.get(id)}`);
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
}
