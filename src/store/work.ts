import { z } from 'zod';
import type {
  HandedOut,
  HandOutLimits,
  NewWork,
  Waiting,
  Work,
  WorkChange,
  WorkLease,
} from '../app/ports.ts';
import { WAIT_REASONS, WORK_KINDS, type WaitReason } from '../domain/work.ts';
import type { Queryable } from './connection.ts';

const kind = z.enum(WORK_KINDS);

export async function insertWork(db: Queryable, work: readonly NewWork[]): Promise<void> {
  await insertRows(db, work, '');
}

async function insertRows(db: Queryable, work: readonly NewWork[], onConflict: string): Promise<void> {
  if (work.length === 0) return;
  await db.query(
    `INSERT INTO work (request_id, task_id, connection, project_key, kind, run_at, reason, attempts)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[],
       $8::int[]) ${onConflict}`,
    [
      work.map((row) => row.requestId),
      work.map((row) => row.taskId),
      work.map((row) => row.connection),
      work.map((row) => row.projectKey),
      work.map(({ next }) => next.kind),
      work.map(({ next }) => new Date(next.at)),
      work.map(({ next }) => next.reason),
      work.map(({ next }) => next.attempts),
    ],
  );
}

/** Gives work back to be done again after a while, where the lease is still ours; counts the attempt. Says how much was. */
export async function delayWork(
  db: Queryable,
  works: readonly (WorkLease & { readonly waitMs: number })[],
  reason: WaitReason,
): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE work SET run_at = now() + given.wait_ms * interval '1 millisecond', reason = $4, attempts = attempts + 1,
       failing_since = COALESCE(failing_since, now()), lease = NULL, held = false
     FROM unnest($1::bigint[], $2::uuid[], $3::float8[]) AS given (id, lease, wait_ms)
     WHERE work.id = given.id AND work.lease = given.lease`,
    [works.map(({ id }) => id), works.map(({ lease }) => lease), works.map(({ waitMs }) => waitMs), reason],
  );
  return rowCount ?? 0;
}

/** Deletes work, if the lease is still ours; says whether it was. */
export async function deleteWork(db: Queryable, lease: WorkLease): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM work WHERE id = $1 AND lease = $2', [
    lease.id,
    lease.lease,
  ]);
  return rowCount === 1;
}

/** Work that is there already stays as it is: a worker may hold it. */
export async function restoreWork(db: Queryable, work: readonly NewWork[]): Promise<void> {
  await insertRows(
    db,
    work,
    "ON CONFLICT (request_id, task_id, (kind = 'destroy')) WHERE request_id IS NOT NULL DO NOTHING",
  );
}

/** Work that a worker holds is left to it; so is a submission whose answer never came, since it may have arrived. */
export async function deleteUnbegunWork(db: Queryable, requestId: string): Promise<void> {
  await db.query(
    `DELETE FROM work WHERE request_id = $1 AND NOT held AND (kind = 'discover' OR kind = 'submit'
       AND EXISTS (SELECT FROM tasks WHERE tasks.id = task_id AND state = 'pending'))`,
    [requestId],
  );
}

export async function deleteWorkOf(db: Queryable, requestId: string, taskId: string | null): Promise<void> {
  await db.query(
    `DELETE FROM work WHERE request_id = $1 AND task_id IS NOT DISTINCT FROM $2 AND kind <> 'destroy'`,
    [requestId, taskId],
  );
}

/** Work of these kinds that no worker holds becomes another kind, due now. */
export async function redirectWork(db: Queryable, requestId: string, change: WorkChange): Promise<void> {
  await db.query(
    `UPDATE work SET kind = $3, run_at = now(), reason = 'queued', attempts = 0, failing_since = NULL, lease = NULL
     WHERE request_id = $1 AND kind = ANY ($2) AND NOT held
       AND ($4::text IS NULL OR EXISTS (SELECT FROM tasks WHERE tasks.id = task_id AND state = $4))`,
    [requestId, change.from, change.to, change.of ?? null],
  );
}

export async function mayDelete(db: Queryable, { id, lease }: WorkLease): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM work JOIN erasure_requests request ON request.id = request_id
     WHERE work.id = $1 AND lease = $2 AND state <> 'on_hold' AND cancel_requested_at IS NULL AND NOT EXISTS (
       SELECT FROM request_subjects JOIN holds USING (ref)
       WHERE request_subjects.request_id = request.id AND released_at IS NULL
     )`,
    [id, lease],
  );
  return rowCount === 1;
}

const claimed = z.array(
  z
    .object({
      id: z.string(),
      lease: z.string(),
      kind,
      connection: z.string(),
      project_key: z.string().nullable(),
    })
    .transform(({ project_key: projectKey, ...rest }): HandedOut => ({ ...rest, projectKey })),
);

/**
 * And so many deliveries are judged at a time, by all workers together. They are gathered for a moment, since many cost little
 * more than one, and nobody waits for them.
 */
const JUDGEMENTS_OUT = 1_000;
const GATHERED_MS = 200;

/** So many destructions are in workers' hands at a time: after an update all of the past may be due at once. */
const DESTRUCTIONS_OUT = 20;

/**
 * Leases what is due of one connection, in batches, past rows that others are leasing just now. The lease's end is the
 * row's new run_at, so work whose holder died is due again by itself. Nothing is leased while `max` are out (dispatchers
 * that look in the same instant may go over it together, each by at most `max`), nor what needs calls while the connection
 * is paused or shut; of one that is to be tried again, one piece at a time. Polls have room of their own, `maxPolls`: they go
 * by the hundred into one job, and come apart where they get in one by one. Looks at who was erased come after all else. Destructions of identifiers, and
 * judging what was delivered, need no server and no connection: whoever looks takes some, however many are due.
 */
export async function claimDueWork(db: Queryable, limits: HandOutLimits): Promise<readonly HandedOut[]> {
  const { rows } = await db.query(
    `WITH allowed AS (
       SELECT CASE WHEN paused_at IS NOT NULL OR shut_until > now() THEN 0 ELSE 1 END AS most
       FROM connection_states WHERE name = $1 AND (paused_at IS NOT NULL OR shut_until IS NOT NULL)
     ), mood AS (
       SELECT most, most IS NULL AS is_good FROM (SELECT (SELECT most FROM allowed) AS most) AS told
     ), out AS (
       SELECT count(*) AS of_all, count(*) FILTER (WHERE kind = 'poll') AS of_polls
       FROM work WHERE lease IS NOT NULL AND connection = $1 AND run_at > now() AND kind NOT IN ('destroy', 'judge')
     ), room AS (
       SELECT is_good,
         GREATEST(0, LEAST($3, most) - CASE WHEN is_good THEN of_all - of_polls ELSE of_all END) AS free,
         CASE WHEN is_good THEN GREATEST(0, $4 - of_polls) ELSE 0 END AS for_polls
       FROM mood, out
     ), due AS (
       SELECT id FROM work
       WHERE run_at <= now() AND connection = $1 AND kind NOT IN ('sentinel', 'destroy', 'judge')
         AND (kind <> 'poll' OR NOT (SELECT is_good FROM room))
       ORDER BY run_at LIMIT (SELECT free FROM room) FOR UPDATE SKIP LOCKED
     ), polls AS (
       SELECT id FROM work WHERE run_at <= now() AND connection = $1 AND kind = 'poll'
       ORDER BY run_at LIMIT (SELECT for_polls FROM room) FOR UPDATE SKIP LOCKED
     ), looks AS (
       SELECT id FROM work WHERE run_at <= now() AND connection = $1 AND kind = 'sentinel'
       ORDER BY run_at LIMIT (SELECT free - (SELECT count(*) FROM due) FROM room) FOR UPDATE SKIP LOCKED
     ), without_calls AS (
       SELECT id FROM work
       WHERE kind IN ('package', 'expire_package') AND run_at <= now() AND connection = $1 AND EXISTS (SELECT FROM allowed)
       ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED
     ), destructions AS (
       SELECT id FROM work WHERE kind = 'destroy' AND run_at <= now()
       ORDER BY run_at LIMIT (
         SELECT LEAST($3, GREATEST(0, ${DESTRUCTIONS_OUT} - count(*)))
         FROM work WHERE kind = 'destroy' AND lease IS NOT NULL AND run_at > now()
       ) FOR UPDATE SKIP LOCKED
     ), judgements AS (
       SELECT id FROM work WHERE kind = 'judge' AND run_at <= now() AND (
         SELECT run_at FROM work WHERE kind = 'judge' ORDER BY run_at LIMIT 1
       ) <= now() - interval '${GATHERED_MS} milliseconds'
       ORDER BY run_at LIMIT (
         SELECT LEAST($3, GREATEST(0, ${JUDGEMENTS_OUT} - count(*)))
         FROM work WHERE kind = 'judge' AND lease IS NOT NULL AND run_at > now()
       ) FOR UPDATE SKIP LOCKED
     )
     UPDATE work SET lease = gen_random_uuid(), held = false, run_at = now() + $2 * interval '1 millisecond'
     FROM (SELECT id FROM due UNION SELECT id FROM polls UNION SELECT id FROM looks UNION SELECT id FROM without_calls
       UNION SELECT id FROM destructions UNION SELECT id FROM judgements) AS ours
     WHERE work.id = ours.id
     RETURNING work.id, work.lease, work.kind, work.connection, work.project_key`,
    [limits.connection, limits.handOutMs, limits.max, limits.maxPolls],
  );
  return claimed.parse(rows);
}

const taken = z.array(
  z
    .object({
      id: z.string(),
      lease: z.string(),
      kind,
      request_id: z.string(),
      task_id: z.string().nullable(),
      connection: z.string(),
      project_key: z.string().nullable(),
      attempts: z.number(),
      failing_since: z.date().nullable(),
    })
    .transform((from): Work => ({
      id: from.id,
      lease: from.lease,
      kind: from.kind,
      requestId: from.request_id,
      taskId: from.task_id,
      connection: from.connection,
      projectKey: from.project_key,
      attempts: from.attempts,
      failingSince: from.failing_since,
    })),
);

/**
 * Makes handed-out work the caller's own, under a new lease: of two deliveries of the same hand-out, one gets it.
 */
export async function takeWork(
  db: Queryable,
  leases: readonly WorkLease[],
  holdMs: number,
): Promise<readonly Work[]> {
  const { rows } = await db.query(
    `UPDATE work SET lease = gen_random_uuid(), held = true, run_at = now() + $3 * interval '1 millisecond'
     FROM unnest($1::bigint[], $2::uuid[]) AS handed (id, lease)
     WHERE work.id = handed.id AND work.lease = handed.lease AND NOT work.held
     RETURNING work.id, work.lease, work.kind, work.request_id, work.task_id, work.connection, work.project_key,
       work.attempts, work.failing_since`,
    [leases.map((lease) => lease.id), leases.map((lease) => lease.lease), holdMs],
  );
  return taken.parse(rows);
}

/** Moves the end of leases that are still ours. */
export async function renewLeases(
  db: Queryable,
  leases: readonly WorkLease[],
  holdMs: number,
): Promise<void> {
  await db.query(
    `UPDATE work SET run_at = now() + $3 * interval '1 millisecond'
     FROM unnest($1::bigint[], $2::uuid[]) AS ours (id, lease)
     WHERE work.id = ours.id AND work.lease = ours.lease`,
    [leases.map((lease) => lease.id), leases.map((lease) => lease.lease), holdMs],
  );
}

const waiting = z.array(
  z
    .object({
      request_id: z.string(),
      task_id: z.string().nullable(),
      kind,
      reason: z.enum(WAIT_REASONS),
      attempts: z.number(),
      run_at: z.date(),
      held: z.boolean(),
    })
    .transform(({ request_id: requestId, task_id: taskId, run_at: runAt, ...rest }): Waiting => ({
      ...rest,
      requestId,
      taskId,
      runAt,
    })),
);

/**
 * What waits, and why: work that is due but kept back waits for its connection. Looks at who was erased, and the destruction
 * of identifiers, are nothing that a request waits for.
 */
export async function listWaiting(db: Queryable, requestIds: readonly string[]): Promise<readonly Waiting[]> {
  const { rows } = await db.query(
    `SELECT request_id, task_id, kind, attempts, held,
       CASE WHEN kept_back THEN COALESCE(shut_reason, 'connection_paused') ELSE reason END AS reason,
       CASE WHEN kept_back THEN GREATEST(run_at, shut_until) ELSE run_at END AS run_at
     FROM work LEFT JOIN LATERAL (
       SELECT CASE WHEN paused_at IS NULL THEN shut_reason END AS shut_reason, shut_until,
         NOT held AND run_at <= now() AND kind NOT IN ('package', 'expire_package') AS kept_back
       FROM connection_states
       WHERE name = work.connection AND (paused_at IS NOT NULL OR shut_until IS NOT NULL)
     ) AS gate ON true
     WHERE request_id = ANY ($1) AND kind NOT IN ('sentinel', 'destroy')`,
    [requestIds],
  );
  return waiting.parse(rows);
}
