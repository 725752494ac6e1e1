import { z } from 'zod';
import type {
  Delivery,
  DeliveryPage,
  DeliveryWithAttempts,
  Settlement,
  TakenDelivery,
} from '../app/ports/callbacks.ts';
import { ATTEMPT_OUTCOMES, DELIVERY_STATES } from '../domain/callback.ts';
import type { Queryable } from './connection.ts';

const shape = z.object({
  id: z.string(),
  place: z.string(),
  callback_id: z.string().nullable(),
  request_id: z.string().nullable(),
  event_seq: z.number().nullable(),
  type: z.string(),
  created_at: z.date(),
  state: z.enum(DELIVERY_STATES),
  run_at: z.date().nullable(),
  attempts: z.number(),
  intended_at: z.date().nullable(),
  settled_at: z.date().nullable(),
});

function deliveryOf(from: z.output<typeof shape>): Delivery {
  return {
    id: from.id,
    place: from.place,
    callbackId: from.callback_id,
    requestId: from.request_id,
    eventSeq: from.event_seq,
    type: from.type,
    createdAt: from.created_at,
    state: from.state,
    runAt: from.run_at,
    attempts: from.attempts,
    intendedAt: from.intended_at,
    settledAt: from.settled_at,
  };
}

const one = z.tuple([shape.transform(deliveryOf)]);
const many = z.array(shape.transform(deliveryOf));
const taken = z.array(
  shape.extend({ lease: z.string(), taken_at: z.date() }).transform((from): TakenDelivery => ({
    ...deliveryOf(from),
    lease: from.lease,
    takenAt: from.taken_at,
  })),
);

/** See CallbackStore.takeDueDeliveries. */
export async function takeDueDeliveries(
  db: Queryable,
  limits: { perReceiver: number; leaseMs: number },
): Promise<readonly TakenDelivery[]> {
  const { rows } = await db.query(
    `WITH receivers AS (
       SELECT id, $1 - (SELECT count(*) FROM deliveries
         WHERE callback_id = callbacks.id AND state = 'waiting' AND lease IS NOT NULL AND run_at > now()) AS free
       FROM callbacks WHERE state = 'active'
     ), due AS (
       SELECT due_of.id FROM receivers CROSS JOIN LATERAL (
         SELECT id FROM deliveries WHERE callback_id = receivers.id AND state = 'waiting' AND run_at <= now()
         ORDER BY run_at, place LIMIT GREATEST(0, free) FOR UPDATE SKIP LOCKED
       ) AS due_of
     ), answers AS (
       SELECT id FROM deliveries WHERE callback_id IS NULL AND state = 'waiting' AND run_at <= now() AND NOT EXISTS (
         SELECT FROM deliveries AS earlier WHERE earlier.request_id = deliveries.request_id AND earlier.callback_id IS NULL
           AND earlier.state = 'waiting' AND earlier.place < deliveries.place)
       ORDER BY run_at, place LIMIT (SELECT GREATEST(0, $1 - count(*)) FROM deliveries
         WHERE callback_id IS NULL AND state = 'waiting' AND lease IS NOT NULL AND run_at > now())
       FOR UPDATE SKIP LOCKED
     )
     UPDATE deliveries SET lease = gen_random_uuid(), run_at = now() + $2 * interval '1 millisecond'
     WHERE id IN (SELECT id FROM due UNION ALL SELECT id FROM answers)
     RETURNING *, now() AS taken_at`,
    [limits.perReceiver, limits.leaseMs],
  );
  return taken.parse(rows);
}

/** Writes an attempt and what follows from it, where the lease is still the caller's; says whether it was. */
export async function settleDelivery(
  db: Queryable,
  { delivery, attempt, step }: Settlement,
): Promise<boolean> {
  const again = step.next === 'again' ? step.afterMs : null;
  const { rowCount } = await db.query(
    `WITH settled AS (
       UPDATE deliveries SET lease = NULL, state = $3,
         run_at = now() + $4::float8 * interval '1 millisecond',
         settled_at = CASE WHEN $4::float8 IS NULL THEN now() END,
         attempts = attempts + CASE WHEN $3 = 'delivered' THEN 0 ELSE 1 END,
         -- An answer came, so nothing is in doubt any more.
         intended_at = CASE WHEN $7 THEN intended_at END
       WHERE id = $1 AND lease = $2 RETURNING id
     )
     INSERT INTO delivery_attempts (delivery_id, outcome, status, duration_ms) SELECT id, $5, $6, $8 FROM settled`,
    [
      delivery.id,
      delivery.lease,
      step.next === 'again' ? 'waiting' : step.next,
      again,
      attempt.outcome,
      attempt.status,
      // Whatever was not answered clearly may have arrived.
      attempt.outcome !== 'delivered' && attempt.outcome !== 'found',
      attempt.durationMs,
    ],
  );
  return rowCount === 1;
}

export async function dropDelivery(db: Queryable, { id, lease }: TakenDelivery): Promise<void> {
  await db.query('DELETE FROM deliveries WHERE id = $1 AND lease = $2', [id, lease]);
}

export async function intendReply(db: Queryable, { id, lease }: TakenDelivery): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE deliveries SET intended_at = COALESCE(intended_at, now()) WHERE id = $1 AND lease = $2',
    [id, lease],
  );
  return rowCount === 1;
}

export async function insertTestDelivery(
  db: Queryable,
  { id, callbackId, type }: { id: string; callbackId: string; type: string },
): Promise<Delivery> {
  const { rows } = await db.query(
    'INSERT INTO deliveries (id, callback_id, type, run_at) VALUES ($1, $2, $3, now()) RETURNING *',
    [id, callbackId, type],
  );
  return one.parse(rows)[0];
}

export async function lockDelivery(db: Queryable, id: string): Promise<Delivery | undefined> {
  const { rows } = await db.query('SELECT * FROM deliveries WHERE id = $1 FOR NO KEY UPDATE', [id]);
  return many.parse(rows)[0];
}

/** One that a worker has just now is sent once more after it: at least once is what is promised. */
export async function redeliver(db: Queryable, id: string): Promise<Delivery> {
  const { rows } = await db.query(
    `UPDATE deliveries SET state = 'waiting', run_at = now(), settled_at = NULL, lease = NULL, attempts = 0
     WHERE id = $1 RETURNING *`,
    [id],
  );
  return one.parse(rows)[0];
}

const ATTEMPTS_SHOWN = 20;
const attempt = z
  .object({
    at: z.iso.datetime({ offset: true }).transform((at) => new Date(at)),
    outcome: z.enum(ATTEMPT_OUTCOMES),
    status: z.number().nullable(),
    duration_ms: z.number(),
  })
  .transform(({ duration_ms: durationMs, ...rest }) => ({ ...rest, durationMs }));
const logged = z.array(
  shape
    .extend({ log: z.array(attempt) })
    .transform((from): DeliveryWithAttempts => ({ ...deliveryOf(from), log: from.log })),
);

/** Newest first, each with its latest attempts. */
export async function listSentDeliveries(
  db: Queryable,
  page: DeliveryPage,
): Promise<readonly DeliveryWithAttempts[]> {
  const ofCallback = 'callbackId' in page.of;
  const { rows } = await db.query(
    `SELECT deliveries.*, (
       SELECT COALESCE(jsonb_agg(attempt ORDER BY attempt.id DESC), '[]') FROM (
         SELECT id, at, outcome, status, duration_ms FROM delivery_attempts
         WHERE delivery_id = deliveries.id ORDER BY id DESC LIMIT ${ATTEMPTS_SHOWN}) AS attempt
     ) AS log FROM deliveries
     WHERE ${ofCallback ? 'callback_id = $1' : 'callback_id IS NULL AND request_id = $1'}
       AND ($2::text IS NULL OR state = $2)
       AND ($3::text IS NULL OR place < (SELECT place FROM deliveries WHERE id = $3))
     ORDER BY place DESC LIMIT $4`,
    [
      'callbackId' in page.of ? page.of.callbackId : page.of.requestId,
      page.state ?? null,
      page.before ?? null,
      page.limit,
    ],
  );
  return logged.parse(rows);
}

/** See CallbackStore.tidyDeliveries. */
export async function tidyDeliveries(db: Queryable, keepMs: number): Promise<number> {
  const { rowCount } = await db.query(
    `DELETE FROM deliveries WHERE settled_at < now() - $1 * interval '1 millisecond'
       OR state = 'waiting' AND created_at < now() - $1 * interval '1 millisecond'
         AND EXISTS (SELECT FROM callbacks WHERE id = callback_id AND callbacks.state <> 'active')`,
    [keepMs],
  );
  return rowCount ?? 0;
}

/** See CallbackStore.setReplyTargets. Writes nothing where nothing changes. */
export async function setReplyTargets(db: Queryable, names: readonly string[]): Promise<void> {
  await db.query(
    `WITH gone AS (DELETE FROM reply_targets WHERE name <> ALL ($1::text[]))
     INSERT INTO reply_targets (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`,
    [names],
  );
}

export async function hasEvent(db: Queryable, requestId: string, type: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'SELECT FROM audit_events WHERE request_id = $1 AND type = $2 LIMIT 1',
    [requestId, type],
  );
  return rowCount === 1;
}
