import { Redis } from 'ioredis';
import type { Config } from '../../config.ts';
import { codeOf, fail, ok, warn, type Finding } from './finding.ts';

const PART = 'queue';
const TIMEOUT_MS = 5_000;
/** BullMQ asks for it: older ones lack commands that it uses. */
const OLDEST_REDIS = [6, 2] as const;

/** Looks at the Redis that carries the queue; without one the queue is in the database, which was looked at. */
export async function lookAtQueue({ queue }: Config): Promise<readonly Finding[]> {
  if (queue.kind === 'postgres')
    return [ok(PART, 'The queue runs on the database; there is no Redis to look at.')];
  let lastError: unknown;
  const redis = new Redis(queue.url, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    // A connection that is gone already would otherwise keep the process waiting for its end.
    disconnectTimeout: 50,
    retryStrategy: () => null,
  });
  // What `connect` throws says only that the connection is closed; why comes as an event.
  redis.on('error', (error: unknown) => {
    lastError = error;
  });
  const place = placeOf(queue.url);
  try {
    await redis.connect();
    return judge(await readFacts(redis), place);
  } catch (error) {
    return [describeRefusal(lastError ?? error, place)];
  } finally {
    redis.disconnect();
  }
}

interface RedisFacts {
  readonly version: string;
  readonly replica: boolean;
  /** Such as `noeviction`. */
  readonly policy: string;
  readonly appendOnly: boolean;
  /** The setting `save`; undefined where the server does not tell. */
  readonly snapshots: string | undefined;
}

async function readFacts(redis: Redis): Promise<RedisFacts> {
  const info = new Map(
    (await redis.info()).split(/\r?\n/).flatMap((line): [string, string][] => {
      const [, name, value] = /^([^:#]+):(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    version: info.get('redis_version') ?? '',
    replica: info.get('role') === 'slave',
    policy: info.get('maxmemory_policy') ?? '',
    appendOnly: info.get('aof_enabled') === '1',
    snapshots: await readSnapshots(redis),
  };
}

/** Managed servers do not let clients read their settings. */
async function readSnapshots(redis: Redis): Promise<string | undefined> {
  try {
    const [, value] = await redis
      .config('GET', 'save')
      .then((answer) => (Array.isArray(answer) ? answer : []));
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function judge(facts: RedisFacts, place: string): Finding[] {
  const { version, replica, policy } = facts;
  if (replica)
    return [
      fail(
        PART,
        `The Redis at ${place} is a replica: it takes no jobs.`,
        'Point redisUrl (REDIS_URL) at the primary.',
      ),
    ];
  const findings: Finding[] = [];
  if (isOld(version))
    findings.push(warn(PART, `Redis ${version} is older than ${OLDEST_REDIS.join('.')}.`, 'Update it.'));
  if (policy !== 'noeviction') {
    const saw = `The Redis at ${place} may evict keys (maxmemory-policy ${policy}), jobs among them; they would be done late.`;
    findings.push(warn(PART, saw, 'Set maxmemory-policy noeviction.'));
  }
  if (!facts.appendOnly && facts.snapshots === '') {
    const saw = `The Redis at ${place} keeps nothing on disk: after a restart of it, what was due is handed out again only after worker.handOutMs.`;
    findings.push(warn(PART, saw, 'Set appendonly yes.'));
  }
  return findings.length > 0
    ? findings
    : [ok(PART, `Redis ${version} answers at ${place}; ${persistenceOf(facts)}.`)];
}

function persistenceOf({ appendOnly, snapshots }: RedisFacts): string {
  if (appendOnly) return 'it evicts nothing and keeps its data';
  return snapshots === undefined
    ? 'it evicts nothing; whether it keeps its data it does not tell'
    : 'it evicts nothing and keeps snapshots';
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1]);
}

/** Host and port; never the password. */
function placeOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? '6379' : port}`;
}

const REFUSALS: readonly (readonly [RegExp, saw: string, todo: string])[] = [
  [
    /^ECONNREFUSED/,
    'Redis is stopped, or elsewhere: nothing listens',
    'Start Redis, or correct redisUrl (REDIS_URL). Nothing is lost meanwhile.',
  ],
  [/^(ENOTFOUND|EAI_AGAIN)/, 'The host name is not known', 'Correct the host in redisUrl (REDIS_URL).'],
  [
    /ETIMEDOUT|timed? ?out/i,
    'Nothing answers',
    'Look at the network and the firewall between here and there.',
  ],
  [
    /NOAUTH|WRONGPASS|NOPERM|invalid password/i,
    'Redis refuses the user or the password',
    'Correct them in redisUrl (REDIS_URL).',
  ],
];

function describeRefusal(error: unknown, place: string): Finding {
  const code = codeOf(error);
  const known = REFUSALS.find(([pattern]) => pattern.test(code));
  if (known !== undefined) return fail(PART, `${known[1]} at ${place}.`, known[2]);
  return fail(PART, `What answers at ${place} cannot be used as Redis.`, 'Correct redisUrl (REDIS_URL).');
}
