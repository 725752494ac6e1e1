import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { seededRandom } from '../../src/sandbox/options.ts';
import { befall } from './chaos.ts';
import {
  countRestless,
  faultsAtOpenReplay,
  faultsOfActiveJobs,
  faultsOfIntake,
  faultsOfRest,
  faultsOfTrails,
  leaksInTables,
  readRequests,
  type Evidence,
} from './checks.ts';
import { read, submit, type Accepted, type Client } from './client.ts';
import type { Environment } from './environment.ts';
import { dumpRedis, leakFinder, type FindLeak } from './leaks.ts';
import { faultsOfLog } from './log-check.ts';
import { faultsOfLives, keepLogs, leaksInLogs } from './lives.ts';
import type { SoakOptions } from './options.ts';
import { makePopulation, type Person } from './people.ts';
import { faultsOfCase } from './second-model.ts';
import { trailEvent, type TrailEvent } from './trail.ts';

/** Requests come in for so much of the time, and the last twentieth of them when the storm is over. */
const SUBMITTING = 0.75;
const AFTERWARDS = 0.05;
const CALLERS = 8;
/** One submission of so many is sent once more after it was accepted. */
const SENT_AGAIN = 20;
/** In peace, so long may nothing come to rest before what is left counts as stuck; and all of it, so long. */
const STUCK_MS = 60_000;
const SETTLE_MS = 600_000;
const DUMP_MS = 2_000;

const begun = Date.now();

/** Tells the person who watches, with the seconds since the beginning. */
export function say(text: string): void {
  process.stdout.write(`${((Date.now() - begun) / 1_000).toFixed(1).padStart(6)} s  ${text}\n`);
}

/** Faults by the check that found them. */
export type Findings = ReadonlyMap<string, readonly string[]>;

/** The whole soak: submissions in a storm, coming to rest in peace, and then everything that is to hold. */
export async function soak(asked: SoakOptions, environment: Environment): Promise<Findings> {
  const { pool, api, workers, postgres, redis, openReplay } = environment;
  const population = makePopulation(asked.seed, asked.erasures);
  const leakIn = leakFinder(population.marker);
  const client: Client = { url: environment.url, token: environment.token, answers: new Map(), faults: [] };
  const stormMs = asked.minutes * 60_000;
  const endsAt = Date.now() + stormMs;
  const late = Math.floor(population.people.length * (1 - AFTERWARDS));
  const watch = watchRedis(environment, leakIn);
  const storm = befall(
    { api, workers, postgres, redis, openReplay, say, random: seededRandom(asked.seed + 2) },
    endsAt,
  );
  const accepted = await submitAll(client, population.people.slice(0, late), stormMs * SUBMITTING);
  say(`${accepted.length} requests are accepted`);
  say(`the storm is over: ${words(await storm)}`);
  const takenBefore = workers.map(({ jobsTaken }) => jobsTaken);
  accepted.push(...(await submitAll(client, population.people.slice(late), 0)));
  await comeToRest(environment);
  const idle = workers.filter(({ jobsTaken }, place) => jobsTaken <= (takenBefore[place] ?? 0));

  const cases = casesOf(accepted, seededRandom(asked.seed + 3));
  const report = await openReplay.report(cases.map(({ person }) => person.userId));
  const trails = await Promise.all(
    cases.map(({ requestIds }) => Promise.all(requestIds.map((id) => readTrail(client, id)))),
  );
  say(`OpenReplay was called: ${words(Object.entries(report.calls))}`);
  say(`the API was called; by answer (0 is none): ${words(client.answers)}`);
  const processes = [api, ...workers];
  await Promise.all(processes.map((process) => process.stop()));
  if (asked.logs !== undefined) await keepLogs(processes, asked.logs);
  const seen = await watch.stop();
  if (redis !== undefined) say(`Redis was searched ${seen.looks} times, with up to ${seen.keys} keys`);
  const requests = await readRequests(pool);
  const evidence: Evidence = { pool, population, accepted, report, leakIn };
  return new Map([
    ['the API answers as it promises', client.faults],
    ['what was accepted is there once', faultsOfIntake(evidence, requests)],
    ['all came to rest for a true reason', faultsOfRest(evidence, requests)],
    ['OpenReplay lost the subjects and nobody else', faultsAtOpenReplay(evidence)],
    ['no user had two active jobs', faultsOfActiveJobs(evidence)],
    ['trails have no gaps and tell every change', await faultsOfTrails(evidence, requests)],
    ['the log of all events is what was signed', await faultsOfLog(evidence.pool)],
    ['no identifier in Redis', [...seen.faults, ...(await leaksInHistory(environment, leakIn))]],
    ['no identifier in logs', await leaksInLogs(processes, postgres, leakIn)],
    ['no identifier in audit bytes or tables', await leaksInTables(evidence)],
    ['processes end when they are ended, and log no error', faultsOfLives(processes, postgres.absences)],
    ['each worker works on when the storm is over', idle.map(({ name }) => `${name} took nothing more`)],
    [
      'the second model agrees',
      cases.flatMap(({ person }, place) => faultsOfCase({ person, trails: trails[place] ?? [], report })),
    ],
  ]);
}

function words(counts: Iterable<readonly [unknown, number]>): string {
  return Array.from(counts, ([name, count]) => `${String(name)} ${count}`).join(', ');
}

/** By some callers at once, spread evenly over the time. */
async function submitAll(client: Client, people: readonly Person[], overMs: number): Promise<Accepted[]> {
  const accepted: Accepted[] = [];
  const startedAt = Date.now();
  let next = 0;
  const caller = async () => {
    for (let place = next++; ; place = next++) {
      const person = people[place];
      if (person === undefined) return;
      await sleep(Math.max(0, startedAt + (place * overMs) / people.length - Date.now()));
      accepted.push(...(await submitFor(client, person)));
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return accepted;
}

async function submitFor(client: Client, person: Person): Promise<readonly Accepted[]> {
  const key = `soak-${person.number}`;
  const keys = person.asksTwice ? [key, `${key}-again`] : [key];
  const accepted = (await Promise.all(keys.map((each) => submit(client, person, each)))).flatMap(
    (one) => one ?? [],
  );
  if (person.number % SENT_AGAIN === 0) {
    const again = await submit(client, person, key);
    if (again?.requestId !== accepted[0]?.requestId)
      client.faults.push(`${again?.requestId} was made for the key of ${accepted[0]?.requestId}`);
  }
  return accepted;
}

async function comeToRest({ pool }: Environment): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  let [said, fewest, fewestAt] = [Infinity, Infinity, Date.now()];
  while (Date.now() < Math.min(deadline, fewestAt + STUCK_MS)) {
    const restless = await countRestless(pool);
    if (restless < fewest) [fewest, fewestAt] = [restless, Date.now()];
    if (restless === 0) {
      say('all have come to rest');
      return;
    }
    if (restless <= said / 2) {
      say(`${restless} have not come to rest yet`);
      said = restless;
    }
    await sleep(250);
  }
}

interface SampledCase {
  readonly person: Person;
  readonly requestIds: readonly string[];
}

/** One in a hundred, twenty at least, and of each fate the first. */
function casesOf(accepted: readonly Accepted[], random: () => number): readonly SampledCase[] {
  const byPerson = new Map<Person, string[]>();
  for (const { person, requestId } of accepted)
    byPerson.set(person, [...(byPerson.get(person) ?? []), requestId]);
  const people = [...byPerson.keys()];
  const chosen = new Set<Person>();
  const kinds = new Map(people.map((person) => [`${person.fate} ${person.asksTwice}`, person]));
  const wanted = Math.max(20, Math.ceil(people.length / 100));
  while (chosen.size < Math.min(wanted, people.length)) {
    const drawn = people[Math.floor(random() * people.length)];
    if (drawn !== undefined) chosen.add(drawn);
  }
  for (const person of kinds.values()) chosen.add(person);
  return [...chosen].map((person) => ({ person, requestIds: byPerson.get(person) ?? [] }));
}

const eventPage = z.object({ events: z.array(trailEvent), nextAfter: z.number().nullable() });

/** The events of a request as the API tells them. */
async function readTrail(client: Client, requestId: string): Promise<readonly TrailEvent[]> {
  const events: TrailEvent[] = [];
  for (let after: number | null = -1; after !== null;) {
    const query = after === -1 ? '' : `&after=${after}`;
    const page: z.infer<typeof eventPage> = await read(
      client,
      `/v1/erasure-requests/${requestId}/events?limit=200${query}`,
      eventPage,
    );
    events.push(...page.events);
    after = page.nextAfter;
  }
  return events;
}

/** Searches all that is in Redis, every few seconds for as long as the soak lasts. */
function watchRedis({ redis }: Environment, leakIn: FindLeak) {
  const seen = { looks: 0, keys: 0, faults: new Array<string>() };
  const over = new AbortController();
  const look = async () => {
    const dump = redis && (await dumpRedis(redis.url).catch(() => undefined));
    if (dump === undefined) return;
    seen.looks += 1;
    seen.keys = Math.max(seen.keys, dump.keys);
    const leak = leakIn(dump.text);
    if (leak !== undefined) seen.faults.push(`Redis holds ${leak}`);
  };
  const watching = (async () => {
    while (!over.signal.aborted) {
      await look();
      await sleep(DUMP_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await watching;
      return seen;
    },
  };
}

async function leaksInHistory({ redis }: Environment, leakIn: FindLeak): Promise<readonly string[]> {
  const leak = redis && leakIn(await redis.readHistory());
  return leak === undefined ? [] : [`${leak} was written to Redis`];
}
