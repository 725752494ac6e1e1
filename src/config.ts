import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

import { calendarsOf } from './config/calendar.ts';
import { checkFile } from './config/check.ts';
import type { LocalPart } from './domain/email.ts';
import { fillFromEnvironment, substitute, variable } from './config/environment.ts';
import type { Mistake, Origins } from './config/environment.ts';
import type { ConfigFile, LOG_LEVELS } from './config/file-schema.ts';
import { intakeOf, type IntakeConfig } from './config/intake.ts';
import { deepFreeze, valueAt } from './config/plain-tree.ts';
import { ConfigError, pathText } from './config/problem.ts';
import type { ConfigProblem } from './config/problem.ts';
import { masterKeyOf, masterKeysOf, normalizeBaseUrl } from './config/secrets-and-urls.ts';
import { parseYaml } from './config/yaml-file.ts';
import type { YamlFile } from './config/yaml-file.ts';
import type { CalendarSettings } from './domain/calendar.ts';
import type { Regulation } from './domain/regulation.ts';

export { ConfigError };
export type { SourceConfig } from './config/intake.ts';

/** Exit status of a process that cannot start for its configuration: EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78;

/** The file that is read from the working directory when LETHE_CONFIG is not set. */
const DEFAULT_FILE = 'lethe.yaml';

/** The checked configuration. Frozen. All durations are whole milliseconds. lethe.example.yaml says what each does. */
export interface Config {
  /** Names this controller in subject references. 1 to 64 of `[A-Za-z0-9._-]`. */
  readonly tenant: string;
  /** Port 0 takes any free one. */
  readonly server: { readonly host: string; readonly port: number; readonly trustProxy: boolean };
  /** Calls that each API key may make in a time, where it has no limit of its own. */
  readonly api: { readonly rateLimit: { readonly requests: number; readonly perSeconds: number } };
  readonly database: DatabaseConfig;
  readonly queue: QueueConfig;
  readonly queuePrefix: string;
  /** 32 bytes. `undefined` only with the embedded Postgres: one is then made in `dataDirectory`. */
  readonly masterKey: Uint8Array | undefined;
  /** 32 bytes each: what is wrapped by one of these is still read. */
  readonly otherMasterKeys: readonly Uint8Array[];
  /** Absolute. */
  readonly dataDirectory: string;
  /** At least one; names are unique. */
  readonly connections: readonly ConnectionConfig[];
  /** How far apart polls are: `fraction` (above 0, at most 1) of the time waited so far, within the bounds. */
  readonly polling: {
    readonly minIntervalMs: number;
    readonly maxIntervalMs: number;
    readonly fraction: number;
  };
  readonly verification: {
    readonly retryMs: number;
    readonly settleMs: number;
    readonly requireUserAbsent: boolean;
  };
  /**
   * Backoff of calls that failed: from `baseMs` up to `maxMs`. A step is tried for `patienceMs` at least, and then until
   * `beforeDueMs` before the request is due.
   */
  readonly retry: {
    readonly baseMs: number;
    readonly maxMs: number;
    readonly patienceMs: number;
    readonly beforeDueMs: number;
  };
  /** A server that failed so often in a row is left alone from `baseMs` up to `maxMs`. */
  readonly breaker: { readonly failures: number; readonly baseMs: number; readonly maxMs: number };
  /** How long past its start a job may be before that is noted, and before it is asked for anew. */
  readonly jobs: { readonly overdueMs: number; readonly stalledMs: number };
  readonly rounds: { readonly max: number; readonly maxFailedJobs: number };
  readonly policy: {
    readonly maxMatches: number;
    readonly emailLocalPart: LocalPart;
    /** 0: submission does not look whether the subject is live. */
    readonly waitForLiveMinutes: number;
    readonly rules: readonly PolicyRule[];
  };
  /** Systems that deliver tickets. */
  readonly intake: IntakeConfig;
  /** How long an access package that is ready is kept. */
  readonly access: { readonly expiresAfterDays: number };
  /** Where erasures are noted outside the database, and for how long. The directory is absolute. */
  readonly journal: { readonly directory: string; readonly keepDays: number };
  /** The log of audit events: its name, which its signatures carry, and how often what is new is sealed. */
  readonly evidence: { readonly origin: string; readonly sealIntervalMs: number };
  /** How long after a request was completed, refused or cancelled its identifiers are destroyed. */
  /** Where may be sent to beside OpenReplay; networks as CIDR. */
  readonly outgoing: ConfigFile['outgoing'];
  /** Ticket systems that are told what becomes of requests. `token` is a secret. */
  readonly replies: ConfigFile['replies'];
  readonly retention: { readonly identifiersAfterCompletionDays: number };
  /** Days after an erasure on which the subject is looked for again, ascending; none for never. */
  readonly sentinel: { readonly days: readonly number[] };
  readonly worker: {
    readonly leaseMs: number;
    readonly handOutMs: number;
    readonly dispatchIntervalMs: number;
    readonly maxHandedOut: number;
    readonly drainMs: number;
  };
  /** When days begin and which are days off, for the deadlines of each regulation. */
  readonly calendars: Readonly<Record<Regulation, CalendarSettings>>;
  readonly log: { readonly level: LogLevel };
}

/** What a rule leaves out it leaves to the rules after it. Without sources or regulations it is for all of them. */
export type PolicyRule = ConfigFile['policy']['rules'][number];

export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * `directory` is the absolute data directory the embedded Postgres keeps its own folders in. `url` is a secret, and so is
 * `migrationUrl`, a login that may migrate; `undefined`: `url` is the one login for both, or somebody else migrates.
 */
export type DatabaseConfig =
  | { readonly kind: 'embedded'; readonly directory: string }
  | { readonly kind: 'url'; readonly url: string; readonly migrationUrl: string | undefined };

/** `postgres`: BullMQ's own Postgres backend, on the service's database. `url` is a secret. */
export type QueueConfig = { readonly kind: 'redis'; readonly url: string } | { readonly kind: 'postgres' };

/** One OpenReplay tenant. */
export interface ConnectionConfig {
  /** `[a-z0-9][a-z0-9-]{0,31}` */
  readonly name: string;
  /** Base URL, http or https, without credentials, query, fragment or a slash at its end. */
  readonly url: string;
  /** Secret. Visible ASCII, so it cannot break out of a header. */
  readonly apiKey: string;
  /** The only projects that may be touched, at least one; `undefined`: every project of the tenant. */
  readonly projects: readonly string[] | undefined;
  readonly countSessionsBefore: boolean;
  /** Calls in flight per worker process, 1 to 256. */
  readonly concurrency: number;
  /** Steps at a time over all worker processes; `undefined`: as many as they have. */
  readonly maxConcurrency: number | undefined;
  /** Calls over all processes; `undefined`: as fast as they come. */
  readonly rateLimit: { readonly requests: number; readonly perSeconds: number } | undefined;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/**
 * Reads the configuration: the YAML file that LETHE_CONFIG names, else `lethe.yaml` in `cwd` where there is one,
 * else the environment alone. What the file leaves out is filled from DATABASE_URL, REDIS_URL, OPENREPLAY_URL with
 * OPENREPLAY_API_KEY (one connection named `default`), LETHE_MIGRATION_DATABASE_URL, LETHE_MASTER_KEY, LETHE_OTHER_MASTER_KEYS, LETHE_DATA_DIR,
 * LETHE_JOURNAL_DIR, LETHE_LOG_LEVEL, LETHE_TIME_ZONE, LETHE_COUNTRY, HOST and PORT; what the file says wins. Relative
 * paths, of the file and in it, start at `cwd` (the process's by default).
 * Throws ConfigError with every mistake at once; a file that cannot be read or parsed is reported alone, as nothing
 * after it can be judged. No error holds a value.
 */
export function loadConfig(env: NodeJS.ProcessEnv, options?: { cwd?: string }): Config {
  const cwd = resolve(options?.cwd ?? '.');
  const { name, source } = readSource(env, cwd);
  const yaml = parseYaml(source);
  if (yaml.content === undefined) throw new ConfigError(name, yaml.problems);
  const substituted = substitute(yaml.content, env);
  const { content, origins } = fillFromEnvironment(substituted.content, env);
  const checked = checkFile(content);
  const mistakes = firstAtEachPath([...substituted.mistakes, ...checked.mistakes]);
  const problems = [...yaml.problems, ...mistakes.map((mistake) => locate(mistake, origins, yaml))];
  if (problems.length > 0 || checked.file === undefined) throw new ConfigError(name, problems);
  return deepFreeze(toConfig(checked.file, cwd));
}

function readSource(env: NodeJS.ProcessEnv, cwd: string): { name: string; source: string } {
  const named = variable(env, 'LETHE_CONFIG');
  const path = resolve(cwd, named ?? DEFAULT_FILE);
  try {
    return { name: basename(path), source: readFileSync(path, 'utf8') };
  } catch (error) {
    const code = String(valueAt(error, ['code']));
    if (named === undefined && code === 'ENOENT') return { name: 'environment', source: '' };
    const where = named === undefined ? DEFAULT_FILE : 'LETHE_CONFIG';
    const expected = `a file that can be read at ${path} (${code})`;
    throw new ConfigError('environment', [{ path: where, line: undefined, expected }]);
  }
}

/** A variable that is not set leaves a text that breaks the field's rule too: that is one mistake, not two. */
function firstAtEachPath(mistakes: readonly Mistake[]): Mistake[] {
  const byPath = new Map(mistakes.toReversed().map((mistake) => [pathKey(mistake), mistake]));
  return [...byPath.values()].reverse();
}

function pathKey({ path }: Mistake): string {
  return JSON.stringify(path);
}

function locate({ path, expected }: Mistake, origins: Origins, yaml: YamlFile): ConfigProblem {
  const text = pathText(path);
  const origin = origins.get(text);
  if (origin !== undefined) return { path: origin, line: undefined, expected };
  return { path: text, line: yaml.lineOf(path), expected };
}

function toConfig(file: ConfigFile, cwd: string): Config {
  const { databaseUrl, migrationDatabaseUrl, redisUrl, masterKey, otherMasterKeys = '', ...others } = file;
  const { connections, calendar, ...rest } = others;
  const dataDirectory = resolve(cwd, file.dataDirectory);
  return {
    ...rest,
    intake: intakeOf(file),
    calendars: calendarsOf(calendar),
    dataDirectory,
    journal: {
      keepDays: file.journal.keepDays,
      directory: resolve(cwd, file.journal.directory ?? join(dataDirectory, 'journal')),
    },
    evidence: { ...file.evidence, origin: file.evidence.origin ?? `lethe/${file.tenant}` },
    database:
      databaseUrl === undefined
        ? { kind: 'embedded', directory: dataDirectory }
        : { kind: 'url', url: databaseUrl, migrationUrl: migrationDatabaseUrl },
    queue: redisUrl === undefined ? { kind: 'postgres' } : { kind: 'redis', url: redisUrl },
    masterKey: masterKey === undefined ? undefined : masterKeyOf(masterKey),
    otherMasterKeys: masterKeysOf(otherMasterKeys) ?? [],
    replies: file.replies.map((target) => ({ ...target, url: normalizeBaseUrl(target.url) })),
    connections: connections.map(({ url, projects, maxConcurrency, rateLimit, ...connection }) => ({
      ...connection,
      maxConcurrency,
      rateLimit,
      url: normalizeBaseUrl(url),
      projects,
    })),
  };
}
