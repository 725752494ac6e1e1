/** The operationIds of the contract (test/contract/openreplay.openapi.yaml), all of which the sandbox answers. */
export const OPERATION_IDS = [
  'listProjects',
  'createProject',
  'getProject',
  'searchUsers',
  'getUser',
  'deleteUser',
  'listUserSessions',
  'listSessionEvents',
  'listJobs',
  'getJob',
  'cancelJob',
  'listLiveSessions',
  'searchLiveSessions',
] as const;
export type OperationId = (typeof OPERATION_IDS)[number];

export const PERSONALITIES = ['contract', 'real'] as const;
/** `contract` answers as the contract file says and no more; `real` as servers in the field do (docs: OpenReplay 1.27). */
export type Personality = (typeof PERSONALITIES)[number];

export const EDITIONS = ['community', 'enterprise'] as const;
/** Live sessions are answered by the Enterprise Edition only; its nightly run is at 01:05, not 00:15. */
export type Edition = (typeof EDITIONS)[number];

export const PHASES = ['received', 'carried_out', 'answered'] as const;
/** `received`: nothing carried out yet. `carried_out`: state changed, nothing written. `answered`: answer flushed. */
export type Phase = (typeof PHASES)[number];

/** One moment of one call, as the `onRequest` hook sees it. Ids are decoded; absent where the path has none. */
export interface RequestInfo {
  readonly operationId: OperationId;
  readonly phase: Phase;
  readonly projectKey?: string;
  readonly userId?: string;
  readonly jobId?: string;
}
export type RequestHook = (info: RequestInfo) => void | Promise<void>;

export interface SandboxOptions {
  readonly personality: Personality;
  /** The API key that `Authorization: Bearer` must carry. */
  readonly token: string;
  /** How long one day of this world lasts, in ms of real time. Default 24 hours. */
  readonly dayMs?: number;
  /** Runs each job this many ms after it was asked for, instead of after the next midnight. For fast tests. */
  readonly jobDelayMs?: number;
  /** How long a job stays picked up, in ms. `contract` shows it as `running`; default there a minute of its day, in `real` 0. */
  readonly runningMs?: number;
  /** Most sessions one job deletes. Default 1,000 in `real`, no limit in `contract`. */
  readonly sessionsPerJob?: number;
  /** `real`: how long the user record outlives the last session, in ms; Infinity is forever. Default 1 % of a day. */
  readonly analyticsLagMs?: number;
  /** Most users on a page of the search, however many are asked for. Default: no limit but that of the API. */
  readonly usersPerPage?: number;
  /** Default `enterprise` in `contract`, `community` in `real`. */
  readonly edition?: Edition;
  /** Where the API is served; `start` returns the first. Default `/v2`; `real` also serves `/v2/api` and `/api/v2`. */
  readonly basePath?: string | readonly string[];
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Projects to generate at the start (default 0), and users in each (default 0). */
  readonly projects?: number;
  readonly users?: number;
  /** Same seed, same generated data and same faults. Default 1. */
  readonly seed?: number;
  /** Replaces the seeded randomness: numbers from 0 up to but not 1. */
  readonly random?: () => number;
  /** Real epoch ms. Default Date.now. */
  readonly now?: () => number;
  readonly onRequest?: RequestHook;
  /** What the server takes a request's target for: stands for a proxy before it that decodes, resolves or cuts paths. */
  readonly rewriteTarget?: (target: string) => string;
}

/** The options with every default filled in. Times in ms. */
export interface Settings {
  readonly personality: Personality;
  readonly token: string;
  readonly dayMs: number;
  readonly jobDelayMs: number | undefined;
  readonly runningMs: number;
  readonly sessionsPerJob: number;
  readonly analyticsLagMs: number;
  readonly usersPerPage: number;
  readonly edition: Edition;
  readonly basePaths: readonly [string, ...string[]];
  readonly host: string;
  readonly random: () => number;
  readonly now: () => number;
}

const DAY_MS = 86_400_000;
const MINUTES_A_DAY = 1440;
const REAL_BASE_PATHS = ['/v2', '/v2/api', '/api/v2'] as const;

/** Fills in the defaults. Throws RangeError when a day or a delay is no positive number of ms. */
export function resolveSettings(options: SandboxOptions): Settings {
  const { personality, token, dayMs = DAY_MS, jobDelayMs, host = '127.0.0.1', now = Date.now } = options;
  assertPositive(dayMs);
  if (jobDelayMs !== undefined) assertPositive(jobDelayMs);
  const byPersonality = personality === 'contract' ? contractDefaults(options, dayMs) : realDefaults(dayMs);
  return {
    ...byPersonality,
    personality,
    token,
    dayMs,
    jobDelayMs,
    ...given('runningMs', options.runningMs),
    ...given('sessionsPerJob', options.sessionsPerJob),
    ...given('analyticsLagMs', options.analyticsLagMs),
    ...given('edition', options.edition),
    usersPerPage: options.usersPerPage ?? Infinity,
    basePaths: basePaths(options),
    ...{ host, now },
    random: options.random ?? seededRandom(options.seed ?? 1),
  };
}

function assertPositive(ms: number): void {
  if (!(ms > 0 && ms < Infinity))
    throw new RangeError('A day and a job delay must be a positive number of ms.');
}

type ByPersonality = Pick<Settings, 'runningMs' | 'sessionsPerJob' | 'analyticsLagMs' | 'edition'>;

function contractDefaults({ jobDelayMs }: SandboxOptions, dayMs: number): ByPersonality {
  const runningMs = jobDelayMs === undefined ? dayMs / MINUTES_A_DAY : jobDelayMs / 4;
  return { runningMs, sessionsPerJob: Infinity, analyticsLagMs: 0, edition: 'enterprise' };
}

function realDefaults(dayMs: number): ByPersonality {
  return { runningMs: 0, sessionsPerJob: 1000, analyticsLagMs: dayMs / 100, edition: 'community' };
}

function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  const record: Partial<Record<K, V>> = {};
  if (value !== undefined) record[key] = value;
  return record;
}

function basePaths({ basePath, personality }: SandboxOptions): readonly [string, ...string[]] {
  if (typeof basePath === 'string') return [basePath];
  const [first, ...rest] = basePath ?? (personality === 'real' ? REAL_BASE_PATHS : ['/v2']);
  return [first ?? '/v2', ...rest];
}

/** When the nightly run wakes, in ms after midnight: 00:15, in the Enterprise Edition 01:05. */
export function wakeAfterMidnightMs({ edition, dayMs }: Pick<Settings, 'edition' | 'dayMs'>): number {
  return ((edition === 'enterprise' ? 65 : 15) * dayMs) / MINUTES_A_DAY;
}

/** A small generator of even randomness from a seed (mulberry32): numbers from 0 up to but not 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
