import type pg from 'pg';
import { z } from 'zod';
import type { Accepted } from './client.ts';
import type { FindLeak } from './leaks.ts';
import type { Job, Report } from './openreplay-messages.ts';
import { ATTENTION_OF_FATE, SESSIONS_OF_BYSTANDER, type Person, type Population } from './people.ts';
import { endOf, faultsOfOrder, trailEvent, type TrailEvent } from './trail.ts';

/** Everything that is known at the end. */
export interface Evidence {
  readonly pool: pg.Pool;
  readonly population: Population;
  readonly accepted: readonly Accepted[];
  readonly report: Report;
  readonly leakIn: FindLeak;
}

const requestRows = z.array(
  z.object({
    id: z.string(),
    state: z.string(),
    attention: z.string().nullable(),
    event_count: z.number(),
    /** Of its tasks. */
    attentions: z.array(z.string()),
    /** What is still to be done; looks at who was erased and destructions are weeks away. */
    work: z.array(z.string()),
  }),
);
export type RequestRow = z.infer<typeof requestRows>[number];

export async function readRequests(pool: pg.Pool): Promise<ReadonlyMap<string, RequestRow>> {
  const { rows } = await pool.query(
    `SELECT id, state, attention, event_count,
       ARRAY(SELECT attention FROM tasks WHERE request_id = request.id AND attention IS NOT NULL) AS attentions,
       ARRAY(SELECT kind || ' (' || reason || ')' FROM work
         WHERE request_id = request.id AND kind NOT IN ('sentinel', 'destroy')) AS work
     FROM erasure_requests AS request`,
  );
  return new Map(requestRows.parse(rows).map((row) => [row.id, row]));
}

const AT_REST = ['completed', 'refused', 'cancelled', 'needs_attention'];

/** How many requests have not come to rest. */
export async function countRestless(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    'SELECT count(*)::int AS restless FROM erasure_requests WHERE state <> ALL ($1)',
    [AT_REST],
  );
  return z.tuple([z.object({ restless: z.number() })]).parse(rows)[0].restless;
}

/** What was accepted is there, once, and nothing else is. */
export function faultsOfIntake(
  { accepted, population }: Evidence,
  requests: ReadonlyMap<string, RequestRow>,
): readonly string[] {
  const asked = population.people.reduce((sum, { asksTwice }) => sum + (asksTwice ? 2 : 1), 0);
  const ids = new Set(accepted.map(({ requestId }) => requestId));
  return [
    ...(ids.size === asked ? [] : [`${asked} were asked for, and ${ids.size} different ones accepted`]),
    ...[...ids].filter((id) => !requests.has(id)).map((id) => `${id} was accepted and is lost`),
    ...[...requests.keys()].filter((id) => !ids.has(id)).map((id) => `${id} is there, and nobody was told`),
  ];
}

/** Each request came to rest where the fate of its subject leads, and says why. */
export function faultsOfRest(
  { accepted, report }: Evidence,
  requests: ReadonlyMap<string, RequestRow>,
): readonly string[] {
  const left = new Map(report.left);
  return accepted.flatMap(({ requestId, person }) => {
    const row = requests.get(requestId);
    if (row === undefined) return [];
    return faultsOfOne(row, person, left).map((fault) => `${requestId} (${person.fate}) ${fault}`);
  });
}

function faultsOfOne(row: RequestRow, person: Person, left: ReadonlyMap<string, number>): readonly string[] {
  const { state, attention, attentions, work } = row;
  if (!AT_REST.includes(state)) return [`is still ${state}; to be done: ${work.join(', ') || 'nothing'}`];
  const expected = ATTENTION_OF_FATE[person.fate];
  if (expected !== undefined) return faultsOfAttention(row, expected);
  if (state !== 'completed') return [`is ${state} because of ${attentions.join(', ') || attention}`];
  return [
    ...(left.has(person.userId)
      ? [`is completed, and OpenReplay has ${left.get(person.userId)} sessions`]
      : []),
    ...(work.length === 0 ? [] : [`is completed, with work left: ${work.join(', ')}`]),
  ];
}

function faultsOfAttention(
  { state, attention, attentions }: RequestRow,
  expected: string,
): readonly string[] {
  const said = attentions.length > 0 ? attentions.join(', ') : attention;
  return state === 'needs_attention' && said === expected
    ? []
    : [`is ${state} because of ${said}, and should need a person because of ${expected}`];
}

/** By OpenReplay's own count: subjects are gone, nobody else is, and nobody else was asked for. */
export function faultsAtOpenReplay({ report, population }: Evidence): readonly string[] {
  const { people, bystanders, bystandersByEmail } = population;
  const left = new Map(report.left);
  const subjects = new Map(people.map((person) => [person.userId, person]));
  const others = [...bystanders, ...bystandersByEmail.keys()];
  const harmed = others.filter((userId) => left.get(userId) !== SESSIONS_OF_BYSTANDER);
  const stayed = people.filter(({ userId, fate }) => {
    return (fate === 'erased' || fate === 'unknown') && left.has(userId);
  });
  const wrong = report.deletions.filter(({ userId }) => {
    const subject = subjects.get(userId);
    return subject === undefined || subject.fate === 'unroutable';
  });
  return [
    ...harmed.map((userId) => `bystander ${others.indexOf(userId)} lost sessions`),
    ...stayed.map(({ number }) => `subject ${number} is still there`),
    ...wrong.map(({ jobId }) => `job ${jobId} deletes somebody nobody asked for`),
  ];
}

/** By OpenReplay's jobs: the one before has ended when the next one of the same user is made. */
export function faultsOfActiveJobs({ report, population }: Evidence): readonly string[] {
  const numbers = new Map(population.people.map(({ userId, number }) => [userId, number]));
  const last = new Map<string, Job>();
  const faults: string[] = [];
  for (const job of report.jobs.toSorted((one, other) => one.createdAt - other.createdAt)) {
    const before = last.get(job.userId);
    if (before !== undefined && (before.updatedAt ?? Infinity) > job.createdAt)
      faults.push(`subject ${numbers.get(job.userId)} had jobs ${before.jobId} and ${job.jobId} at once`);
    last.set(job.userId, job);
  }
  if (report.maxActiveJobsPerUser > 1) faults.push('OpenReplay counted two active jobs of one user');
  return faults;
}

const eventRows = z.array(z.object({ text: z.string() }));

/** Audit events: no gaps, each change where the one before ended, and the last one where the request is. */
export async function faultsOfTrails(
  { pool }: Evidence,
  requests: ReadonlyMap<string, RequestRow>,
): Promise<readonly string[]> {
  const { rows } = await pool.query(
    `SELECT convert_from(bytes, 'UTF8') AS text FROM audit_events ORDER BY request_id, seq`,
  );
  const trails = new Map<string, TrailEvent[]>();
  for (const { text } of eventRows.parse(rows)) {
    const event = trailEvent.parse(JSON.parse(text));
    const trail = trails.get(event.request_id);
    if (trail === undefined) trails.set(event.request_id, [event]);
    else trail.push(event);
  }
  return [...requests.values()].flatMap((request) => {
    const trail = trails.get(request.id) ?? [];
    const faults = [...faultsOfOrder(trail)];
    if (trail.length !== request.event_count)
      faults.push(`has ${trail.length} events and counts ${request.event_count}`);
    if (endOf(trail) !== request.state) faults.push(`is ${request.state}; its trail says ${endOf(trail)}`);
    return faults.map((fault) => `${request.id}: ${fault}`);
  });
}

const tableRows = z.array(z.object({ name: z.string() }));

/** No table holds an identifier but as ciphertext: audit bytes, and the queue where it is on Postgres, included. */
export async function leaksInTables({ pool, leakIn }: Evidence): Promise<readonly string[]> {
  const { rows } = await pool.query(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const faults: string[] = [];
  for (const { name } of tableRows.parse(rows)) {
    // As text, and bytes once more as what they spell.
    const found = await pool.query(
      `SELECT row::text AS text FROM ${name} AS row
       UNION ALL SELECT encode(decode(part[1], 'hex'), 'escape')
       FROM ${name} AS row, regexp_matches(row::text, '\\\\\\\\x((?:[0-9a-f]{2})+)', 'g') AS part`,
    );
    const leaks = eventRows.parse(found.rows).flatMap(({ text }) => leakIn(text) ?? []);
    if (leaks.length > 0) faults.push(`${leaks.length} rows of ${name} hold ${leaks[0]}`);
  }
  return faults;
}
