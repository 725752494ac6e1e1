import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import type { Logger } from 'pino';
import { createConnectionGate } from './app/connection-gate.ts';
import { adoptAdminToken } from './app/create-api-key.ts';
import { remembered } from './app/remember.ts';
import type { Connection, Deps, Store, Vault } from './app/ports.ts';
import type { Certifier, LogStore, TreeGrower } from './app/ports/log.ts';
import type { Config, ConnectionConfig } from './config.ts';
import { encodeEvent } from './evidence/encode-event.ts';
import { openLogSigner } from './evidence/log-key.ts';
import { createCertifier, type Certificate } from './evidence/certificate.ts';
import { createTreeGrower } from './evidence/tree-grower.ts';
import { hashToken, newId, newToken } from './ids.ts';
import { createFileJournal } from './journal/file-journal.ts';
import { callbackSigner } from './notify/callback-signer.ts';
import { createReplyTarget } from './notify/reply-target.ts';
import { createSender } from './notify/sender.ts';
import { openDatabase, type Database } from './open-database.ts';
import { localMasterKeys, writeOnce } from './local-secrets.ts';
import { createOpenReplayClient } from './openreplay/client.ts';
import type { QueueOptions } from './queue/queue-backend.ts';
import { createGateStore } from './store/connection-states.ts';
import { createPool } from './store/connection.ts';
import { createLogStore } from './store/log.ts';
import { createReportStore } from './store/reports.ts';
import { createStore } from './store/store.ts';
import { createClocks } from './calendar/clocks.ts';
import { openIntake } from './open-intake.ts';
import { policyOf } from './policy-of.ts';
import { productVersion } from './version.ts';
import type { MasterKeyList } from './vault/master-keys.ts';
import { openVault } from './vault/open-vault.ts';
import { MAX_OBSERVED } from './domain/round-habit.ts';

/** How old what is known of the last rounds may be: forecasts are of hours. */
const OBSERVED_FOR_MS = 60_000;

/** Registers and summaries that one process reads at a time: a slow reader holds a connection. */
const REPORTS_AT_A_TIME = 3;

/** The real parts of one process, wired together. */
export interface Core {
  readonly config: Config;
  readonly logger: Logger;
  readonly deps: Deps;
  readonly queue: QueueOptions;
  /** The log of all events, and the tree that lets it grow. */
  readonly log: { readonly store: LogStore; readonly tree: TreeGrower; readonly certifier: Certifier };
  /** Calls `listener` whenever a commit of this process has left work due. */
  onWorkDue(listener: () => void): void;
  close(): Promise<void>;
}

/**
 * Opens database (the embedded one where none is configured), migrates it, and builds store, vault and clients.
 *
 * @param role shown in pg_stat_activity; `cli` needs no queue
 */
export async function openCore(config: Config, options: { role: string; logger: Logger }): Promise<Core> {
  const { role, logger } = options;
  const database = await openDatabase(config, { logger, withQueue: role !== 'cli' });
  try {
    const [current, ...others] =
      config.masterKey === undefined ? await embeddedMasterKeys(config, logger) : [config.masterKey];
    const pool = createPool({
      connectionString: database.connectionString,
      max: 20,
      applicationName: `lethe-${role}`,
    });
    const reportPool = createPool({
      connectionString: database.connectionString,
      max: REPORTS_AT_A_TIME,
      applicationName: `lethe-${role}-reports`,
    });
    const store = createStore(pool);
    const vault = await openVault(store, {
      masterKeys: [current, ...others, ...config.otherMasterKeys],
      tenant: config.tenant,
    });
    if (config.database.kind === 'embedded') await embeddedAdminKey(config, store, logger);
    const log = await openLog({ pool, vault, origin: config.evidence.origin });
    return assemble({ config, logger, pool, reportPool, store, vault, log, database });
  } catch (error) {
    await database.stop();
    throw error;
  }
}

async function openLog(of: { pool: pg.Pool; vault: Vault; origin: string }): Promise<Core['log']> {
  const store = createLogStore(of.pool);
  const signer = await openLogSigner({ log: store, vault: of.vault }, of.origin);
  return {
    store,
    tree: createTreeGrower(signer),
    certifier: createCertifier(signer, `Lethe ${productVersion()}`, printCertificate),
  };
}

/** Loaded when the first is printed: most processes never do. */
async function printCertificate(certificate: Certificate): Promise<Uint8Array> {
  const printer = await import('./evidence/pdf/print-certificate.ts');
  return printer.printCertificate(certificate);
}

async function embeddedMasterKeys(config: Config, logger: Logger): Promise<MasterKeyList> {
  const { keys, path, made } = await localMasterKeys(config.dataDirectory);
  if (made)
    logger.warn({ path }, 'made a master key; without this file no identifier can be read: back it up');
  return keys;
}

/**
 * The embedded default needs no command before its first use: an admin key lies beside the database. The file comes
 * first and its key is looked for at every start, so that a crash between the two leaves no key that opens nothing.
 */
async function embeddedAdminKey(config: Config, store: Store, logger: Logger): Promise<void> {
  const path = join(config.dataDirectory, 'admin-key');
  await writeOnce(path, `${newToken().token}\n`);
  const hash = hashToken((await readFile(path, 'utf8')).trim());
  const made = await adoptAdminToken({ store, newId, encodeEvent }, hash);
  if (made) logger.warn({ path }, 'made an admin API key; it stands in this file');
}

/** Of an answer to what is sent out; a page of a ticket's comments is the longest that is read. */
const MAX_ANSWER_BYTES = 1_048_576;

const DAY_MS = 86_400_000;
/** The largest pages there are; a step of so many calls takes some seconds. */
const GATHERING = { pageSize: 200, callsPerStep: 40 } as const;

interface Client {
  readonly connection: ConnectionConfig;
  readonly client: ReturnType<typeof createOpenReplayClient>;
}

interface Parts {
  readonly config: Config;
  readonly logger: Logger;
  readonly pool: pg.Pool;
  readonly reportPool: pg.Pool;
  readonly store: Store;
  readonly vault: Vault;
  readonly log: Core['log'];
  readonly database: Database;
}

function assemble(parts: Parts): Core {
  const { config, logger, store, database } = parts;
  const listeners = new Set<() => void>();
  const clients = openClients(parts);
  const deps: Deps = {
    store,
    vault: parts.vault,
    encodeEvent,
    reports: createReportStore(parts.reportPool),
    ...waysOut(config),
    ledger: parts.log,
    journal: createFileJournal(config.journal),
    connections: new Map(clients.map(connectionOf)),
    pace: {
      polling: config.polling,
      verification: config.verification,
      retry: config.retry,
      jobs: config.jobs,
      rounds: config.rounds,
      waitForLiveMs: config.policy.waitForLiveMinutes * 60_000,
      sentinelAgesMs: config.sentinel.days.map((day) => day * DAY_MS),
    },
    maxMatches: config.policy.maxMatches,
    emailLocalPart: config.policy.emailLocalPart,
    ...createClocks(config.calendars),
    policyFor: (from) => policyOf(config.policy.rules, from),
    observedRounds: remembered(OBSERVED_FOR_MS, () =>
      store.listObservedRounds(
        clients.map(({ connection }) => connection.name),
        MAX_OBSERVED,
      ),
    ),
    access: { expiresAfterMs: config.access.expiresAfterDays * DAY_MS, ...GATHERING },
    intake: openIntake(config),
    retentionMs: config.retention.identifiersAfterCompletionDays * DAY_MS,
    leaseMs: config.worker.leaseMs,
    newId,
    newToken,
    random: Math.random,
    workIsDue: () => {
      for (const listener of listeners) listener();
    },
    log: logger,
  };
  return {
    config,
    logger,
    deps,
    queue: queueOptions(config, database.connectionString),
    log: parts.log,
    onWorkDue: (listener) => {
      listeners.add(listener);
    },
    close: async () => {
      for (const { client } of clients) client.close();
      await Promise.all([parts.pool.end(), parts.reportPool.end()]);
      await database.stop();
    },
  };
}

function waysOut({ outgoing, replies }: Config): Pick<Deps, 'sender' | 'callbackSigner' | 'replyTargets'> {
  const sender = createSender({ ...outgoing, maxAnswerBytes: MAX_ANSWER_BYTES });
  const replyTargets = replies.map((target) => createReplyTarget(target, sender));
  return { sender, callbackSigner, replyTargets };
}

function openClients({ config, pool, logger }: Parts): readonly Client[] {
  const store = createGateStore(pool);
  return config.connections.map((connection) => ({
    connection,
    client: createOpenReplayClient({
      ...connection,
      baseUrl: connection.url,
      maxSockets: connection.concurrency * 3,
      gate: createConnectionGate({
        name: connection.name,
        store,
        pace: config.breaker,
        callIntervalMs: callIntervalOf(connection),
        callTimeoutMs: connection.connectTimeoutMs + connection.responseTimeoutMs,
        log: logger,
      }),
    }),
  }));
}

function callIntervalOf({ rateLimit }: ConnectionConfig): number {
  return rateLimit === undefined ? 0 : (rateLimit.perSeconds * 1_000) / rateLimit.requests;
}

function connectionOf({ connection, client }: Client): [string, Connection] {
  const { name, projects = null, countSessionsBefore } = connection;
  return [name, { name, projects, countSessionsBefore, api: client, records: client.records }];
}

function queueOptions(config: Config, connectionString: string): QueueOptions {
  return config.queue.kind === 'redis'
    ? { kind: 'redis', url: config.queue.url, prefix: config.queuePrefix }
    : { kind: 'postgres', connectionString };
}
