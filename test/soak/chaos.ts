import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { OpenReplayServer, PostgresServer, RedisServer } from './servers.ts';
import type { Supervised } from './supervised.ts';

/** What can be hit. */
export interface Targets {
  readonly api: Supervised;
  readonly workers: readonly Supervised[];
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly openReplay: OpenReplayServer;
  readonly random: () => number;
  readonly say: (text: string) => void;
}

interface Misfortune {
  readonly name: string;
  readonly weight: number;
  readonly happen: (targets: Targets) => Promise<void> | void;
}

const MISFORTUNES: readonly Misfortune[] = [
  {
    ...{ name: 'kill -9 of a worker', weight: 30 },
    happen: ({ workers, random }) => {
      workers[Math.floor(random() * workers.length)]?.end('SIGKILL');
    },
  },
  {
    name: 'kill -9 of the API',
    weight: 12,
    happen: ({ api }) => {
      api.end('SIGKILL');
    },
  },
  {
    ...{ name: 'kill -9 of the API and both workers', weight: 5 },
    happen: ({ api, workers }) => {
      for (const process of [api, ...workers]) process.end('SIGKILL');
    },
  },
  {
    ...{ name: 'a worker is upgraded (SIGTERM)', weight: 5 },
    happen: ({ workers, random }) => {
      workers[Math.floor(random() * workers.length)]?.end('SIGTERM');
    },
  },
  {
    name: 'the API is upgraded (SIGTERM)',
    weight: 3,
    happen: ({ api }) => {
      api.end('SIGTERM');
    },
  },
  {
    ...{ name: 'Postgres is restarted', weight: 6 },
    happen: ({ postgres, random }) => postgres.restart('fast', random() * 1_000),
  },
  {
    ...{ name: 'Postgres is killed and recovers', weight: 5 },
    happen: ({ postgres, random }) => postgres.restart('immediate', random() * 2_000),
  },
  {
    ...{ name: 'OpenReplay answers 429 to everything for a while', weight: 8 },
    happen: async ({ openReplay, random }) => {
      openReplay.set({ rateLimited: 1 });
      await sleep(200 + random() * 800);
      openReplay.set({ rateLimited: 0 });
    },
  },
  {
    ...{ name: 'OpenReplay answers 401 to everything for a while', weight: 3 },
    happen: async ({ openReplay, random }) => {
      openReplay.set({ unauthorized: 1 });
      await sleep(200 + random() * 400);
      openReplay.set({ unauthorized: 0 });
    },
  },
  {
    ...{ name: 'OpenReplay misses a night', weight: 4 },
    happen: ({ openReplay }) => {
      openReplay.set({ missedRuns: 1 });
    },
  },
];

const MISFORTUNES_OF_REDIS: readonly Misfortune[] = [
  {
    ...{ name: 'Redis is flushed', weight: 14 },
    happen: ({ redis }) => redis && flush(redis.url),
  },
  {
    ...{ name: 'Redis is killed and comes back empty', weight: 7 },
    happen: ({ redis }) => redis?.restart(0),
  },
  {
    ...{ name: 'Redis is away for some seconds, and comes back empty', weight: 6 },
    happen: ({ redis, random }) => redis?.restart(2_000 + random() * 4_000),
  },
  {
    ...{ name: 'Redis answers nothing for some seconds', weight: 6 },
    happen: ({ redis, random }) => redis?.freeze(1_000 + random() * 4_000),
  },
];

async function flush(url: string): Promise<void> {
  const client = new Redis(url, { maxRetriesPerRequest: 3 });
  client.on('error', () => undefined);
  await client.flushall();
  client.disconnect();
}

/**
 * One misfortune after another until the time is over: each kind once, in any order, and then as often as its weight
 * says. Says how often each came.
 */
export async function befall(targets: Targets, until: number): Promise<ReadonlyMap<string, number>> {
  const { random, say, redis } = targets;
  const all = redis === undefined ? MISFORTUNES : [...MISFORTUNES, ...MISFORTUNES_OF_REDIS];
  const counts = new Map<string, number>();
  const first = shuffled(all, random);
  // The first ones come at such a pace that even a short soak sees them all.
  const firstGapMs = Math.min(1_500, ((until - Date.now()) * 0.5) / first.length);
  while (Date.now() < until) {
    const next = first.shift();
    await sleep(next === undefined ? 500 + random() * 2_500 : firstGapMs * (0.5 + random()));
    const misfortune = next ?? drawn(all, random);
    say(misfortune.name);
    counts.set(misfortune.name, (counts.get(misfortune.name) ?? 0) + 1);
    const since = Date.now();
    await misfortune.happen(targets);
    const lastedMs = Date.now() - since;
    if (lastedMs > 500) say(`  over after ${(lastedMs / 1_000).toFixed(1)} s`);
  }
  return counts;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}

function drawn(all: readonly Misfortune[], random: () => number): Misfortune {
  let at = random() * all.reduce((sum, { weight }) => sum + weight, 0);
  const found = all.find(({ weight }) => (at -= weight) < 0) ?? all.at(-1);
  if (found === undefined) throw new Error('nothing can go wrong');
  return found;
}
