import { z } from 'zod';
import {
  DELIVERY_OUTCOMES,
  DELIVERY_STATES,
  type Delivery,
  type DeliveryFilter,
  type DeliveryOutcome,
  type HeldDelivery,
  type IntakeTransaction,
  type NewDelivery,
  type ReplayGuard,
  type SourceCounts,
} from '../app/ports/intake.ts';
import type { WorkLease } from '../app/ports.ts';
import { TICKET_FIELDS } from '../domain/ticket.ts';
import { WORK_KINDS } from '../domain/work.ts';
import type { Queryable } from './connection.ts';
import { together, type Together } from './together.ts';

/** A delivery with what it is known again by. */
interface Arrival {
  readonly delivery: NewDelivery;
  readonly guard: ReplayGuard;
}

/** Deliveries in one statement, and statements at the same time. */
const ARRIVALS_MOST = 100;
const ARRIVAL_WRITES = 2;
const ARRIVALS_BYTES = 4_194_304;

/** Keeps deliveries, those that come at the same time together. */
export function deliveryKeeper(pool: Queryable): Together<Arrival, boolean> {
  return together((arrivals) => keepDeliveries(pool, arrivals), {
    most: ARRIVALS_MOST,
    mostSize: ARRIVALS_BYTES,
    writes: ARRIVAL_WRITES,
    sizeOf: ({ delivery }) => delivery.bodySealed.length,
    namesOf: ({ guard }) =>
      guard.keys.map(({ key }) => `${guard.scope} ${Buffer.from(key).toString('latin1')}`),
  });
}

const keptRows = z.array(z.object({ delivery_id: z.string() }));

/**
 * One statement: whatever it keeps has its replay keys and the work of judging. Keys are claimed in one order by everybody, so
 * that of two processes that are told the same at once the later waits and then sees it. One that had to be remembered no
 * longer counts as new.
 *
 * @param arrivals no two of which share a key
 * @returns for each, whether it is new
 */
async function keepDeliveries(db: Queryable, arrivals: readonly Arrival[]): Promise<readonly boolean[]> {
  const claims = arrivals.flatMap(({ delivery, guard }) =>
    guard.keys.map((one) => ({ ...one, scope: guard.scope, id: delivery.id })),
  );
  const deliveries = arrivals.map(({ delivery }) => delivery);
  const { rows } = await db.query({
    name: 'keep-deliveries',
    text: `WITH given AS (
       SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::float8[]) AS given (id, scope, key, ms)
     ), claimed AS (
       INSERT INTO replay_keys (scope, key, until)
       SELECT scope, key, now() + ms * interval '1 millisecond' FROM given ORDER BY scope, key
       ON CONFLICT (scope, key) DO UPDATE SET until = excluded.until WHERE replay_keys.until < now()
       RETURNING scope, key
     ), fresh AS (
       SELECT id FROM given LEFT JOIN claimed USING (scope, key) GROUP BY id HAVING bool_and(claimed.key IS NOT NULL)
     ), kept AS (
       INSERT INTO webhook_deliveries (id, source, body_sealed, key_wrapped)
       SELECT id, source, body_sealed, key_wrapped
       FROM unnest($5::text[], $6::text[], $7::bytea[], $8::bytea[]) AS arrived (id, source, body_sealed, key_wrapped)
       JOIN fresh USING (id)
       RETURNING id
     )
     INSERT INTO work (delivery_id, connection, kind, run_at, reason)
     SELECT id, connection, 'judge', now(), 'queued'
     FROM kept JOIN unnest($5::text[], $9::text[]) AS queues (id, connection) USING (id)
     RETURNING delivery_id`,
    values: [
      claims.map(({ id }) => id),
      claims.map(({ scope }) => scope),
      claims.map(({ key }) => key),
      claims.map(({ rememberMs }) => rememberMs),
      deliveries.map(({ id }) => id),
      deliveries.map(({ source }) => source),
      deliveries.map(({ bodySealed }) => bodySealed),
      deliveries.map(({ dataKey }) => dataKey.wrapped),
      deliveries.map(({ connection }) => connection),
    ],
  });
  const kept = new Set(keptRows.parse(rows).map(({ delivery_id: id }) => id));
  return deliveries.map(({ id }) => kept.has(id));
}

export async function forgetReplayKeys(db: Queryable, limit: number): Promise<void> {
  await db.query(
    `DELETE FROM replay_keys WHERE (scope, key) IN (
       SELECT scope, key FROM replay_keys WHERE until < now() ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED)`,
    [limit],
  );
}

const held = z.array(
  z
    .object({
      work_id: z.string(),
      lease: z.string(),
      kind: z.enum(WORK_KINDS),
      attempts: z.number(),
      id: z.string(),
      source: z.string(),
      state: z.enum(DELIVERY_STATES),
      received_at: z.date(),
      age_ms: z.number(),
      key_wrapped: z.instanceof(Buffer),
      body_sealed: z.instanceof(Buffer),
    })
    .transform((from): HeldDelivery => ({
      work: { id: from.work_id, lease: from.lease, kind: from.kind, attempts: from.attempts },
      id: from.id,
      source: from.source,
      state: from.state,
      receivedAt: from.received_at,
      ageMs: from.age_ms,
      dataKey: { requestId: from.id, wrapped: from.key_wrapped },
      bodySealed: from.body_sealed,
    })),
);

/** As takeWork: of two deliveries of the same hand-out, one gets it. */
export async function takeDeliveries(
  db: Queryable,
  leases: readonly WorkLease[],
  holdMs: number,
): Promise<readonly HeldDelivery[]> {
  const { rows } = await db.query(
    `UPDATE work SET lease = gen_random_uuid(), held = true, run_at = now() + $3 * interval '1 millisecond'
     FROM unnest($1::bigint[], $2::uuid[]) AS handed (id, lease), webhook_deliveries delivery
     WHERE work.id = handed.id AND work.lease = handed.lease AND NOT work.held AND delivery.id = work.delivery_id
     RETURNING work.id AS work_id, work.lease, work.kind, work.attempts, delivery.id, source, state, received_at,
       extract(epoch FROM now() - received_at)::float8 * 1000 AS age_ms, key_wrapped, body_sealed`,
    [leases.map(({ id }) => id), leases.map(({ lease }) => lease), holdMs],
  );
  // The oldest first: what is told of one ticket is told in an order.
  return held.parse(rows).toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

const ended = z.tuple([z.object({ count: z.number() })]);

/** Work, body and key go together, by whoever holds the lease. */
export async function endDeliveries(
  db: Queryable,
  deliveries: Parameters<IntakeTransaction['endDeliveries']>[0],
  outcome: DeliveryOutcome,
): Promise<number> {
  const { rows } = await db.query(
    `WITH ours AS (
       DELETE FROM work USING unnest($1::bigint[], $2::uuid[]) AS held (id, lease)
       WHERE work.id = held.id AND work.lease = held.lease RETURNING delivery_id
     ), gone AS (
       DELETE FROM webhook_deliveries USING ours WHERE id = delivery_id RETURNING source
     ), counted AS (
       INSERT INTO webhook_counts AS before (source, day, outcome, count)
       SELECT source, (now() AT TIME ZONE 'UTC')::date, $3, count(*) FROM gone GROUP BY source ORDER BY source
       ON CONFLICT (source, day, outcome) DO UPDATE SET count = before.count + excluded.count
     )
     SELECT count(*)::int AS count FROM gone`,
    [deliveries.map(({ work }) => work.id), deliveries.map(({ work }) => work.lease), outcome],
  );
  return ended.parse(rows)[0].count;
}

export async function noteUnmappable(
  db: Queryable,
  { work }: Parameters<IntakeTransaction['noteUnmappable']>[0],
  noted: { problems: Parameters<IntakeTransaction['noteUnmappable']>[1]; keepMs: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `WITH ours AS (
       UPDATE work SET run_at = now() + $3 * interval '1 millisecond', reason = 'retention', attempts = 0,
         failing_since = NULL, lease = NULL, held = false
       WHERE id = $1 AND lease = $2 RETURNING delivery_id
     )
     UPDATE webhook_deliveries SET state = 'unmappable', problems = $4, judged_at = now() FROM ours WHERE id = delivery_id`,
    [work.id, work.lease, noted.keepMs, JSON.stringify(noted.problems)],
  );
  return rowCount === 1;
}

const again = z.array(z.object({ again: z.boolean() }));

/** What a worker holds just now is judged anyway. */
export async function judgeAgain(db: Queryable, id: string): Promise<{ again: boolean } | undefined> {
  const { rows } = await db.query(
    `WITH due AS (
       UPDATE work SET run_at = now(), reason = 'queued', lease = NULL
       FROM webhook_deliveries delivery
       WHERE delivery_id = $1 AND delivery.id = delivery_id AND state = 'unmappable' AND NOT held RETURNING delivery_id
     )
     SELECT EXISTS (SELECT FROM due) AS again FROM webhook_deliveries WHERE id = $1`,
    [id],
  );
  return again.parse(rows)[0];
}

const problem = z.object({
  field: z.enum(TICKET_FIELDS).nullable(),
  pointers: z.array(z.string()),
  expected: z.string(),
});

const listed = z.array(
  z
    .object({
      id: z.string(),
      source: z.string(),
      state: z.enum(DELIVERY_STATES),
      received_at: z.date(),
      judged_at: z.date().nullable(),
      problems: z.array(problem).nullable(),
    })
    .transform((from): Delivery => ({
      id: from.id,
      source: from.source,
      state: from.state,
      receivedAt: from.received_at,
      judgedAt: from.judged_at,
      problems: from.problems ?? [],
    })),
);

export async function listDeliveries(db: Queryable, filter: DeliveryFilter): Promise<readonly Delivery[]> {
  const { rows } = await db.query(
    `SELECT id, source, state, received_at, judged_at, problems FROM webhook_deliveries
     WHERE ($1::text IS NULL OR source = $1) AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR id < $3)
       AND ($4::text IS NULL OR id = $4)
     ORDER BY id DESC LIMIT $5`,
    [filter.source ?? null, filter.state ?? null, filter.before ?? null, filter.id ?? null, filter.limit],
  );
  return listed.parse(rows);
}

const counts = z.array(
  z.object({
    source: z.string(),
    what: z.enum([...DELIVERY_STATES, ...DELIVERY_OUTCOMES]),
    count: z.number(),
  }),
);

export async function countDeliveries(db: Queryable): Promise<readonly SourceCounts[]> {
  const { rows } = await db.query(
    `SELECT source, state AS what, count(*)::int AS count FROM webhook_deliveries GROUP BY 1, 2
     UNION ALL
     SELECT source, outcome, sum(count)::int FROM webhook_counts GROUP BY 1, 2`,
  );
  const found = counts.parse(rows);
  const of = (source: string, what: string) =>
    found.find((row) => row.source === source && row.what === what)?.count ?? 0;
  return [...new Set(found.map(({ source }) => source))].toSorted().map((source) => ({
    source,
    states: { received: of(source, 'received'), unmappable: of(source, 'unmappable') },
    outcomes: {
      accepted: of(source, 'accepted'),
      known_ticket: of(source, 'known_ticket'),
      not_matching: of(source, 'not_matching'),
      expired: of(source, 'expired'),
    },
  }));
}
