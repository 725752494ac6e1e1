import { z } from 'zod';
import type { ErasurePlace, RequestOf } from '../app/ports/life.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import { OUTCOMES, REQUEST_TYPES, type SubjectRef } from '../domain/request.ts';
import { REQUEST_STATES } from '../domain/states.ts';
import type { Queryable } from './connection.ts';

/** Adds to the pseudonyms a request's subject is known by. */
export async function insertSubjectRefs(
  db: Queryable,
  requestId: string,
  refs: readonly SubjectRef[],
): Promise<void> {
  if (refs.length === 0) return;
  await db.query(
    `INSERT INTO request_subjects (request_id, ref, kind, key_version)
     SELECT $1, decode(ref, 'hex'), kind, key_version FROM unnest($2::text[], $3::text[], $4::int[]) AS given (ref, kind, key_version)
     ON CONFLICT DO NOTHING`,
    [requestId, refs.map((ref) => ref.value), refs.map((ref) => ref.kind), refs.map((ref) => ref.keyVersion)],
  );
}

const ids = z.array(z.object({ id: z.string() }));

/** Ids of requests that are not closed, oldest first. */
export async function listOpenRequestsOf(
  db: Queryable,
  refs: readonly SubjectRef[],
  but = '',
): Promise<readonly string[]> {
  const { rows } = await db.query(
    `SELECT DISTINCT id FROM request_subjects JOIN erasure_requests ON id = request_id
     WHERE ref IN (SELECT decode(hex, 'hex') FROM unnest($1::text[]) AS hex) AND id <> $2
       AND state NOT IN ('completed', 'refused', 'cancelled')
     ORDER BY id`,
    [refs.map(({ value }) => value), but],
  );
  return ids.parse(rows).map(({ id }) => id);
}

const requestsOf = z.array(
  z
    .object({
      id: z.string(),
      type: z.enum(REQUEST_TYPES),
      regulation: z.enum(REGULATIONS),
      state: z.enum(REQUEST_STATES),
      outcome: z.enum(OUTCOMES).nullable(),
      received_at: z.date(),
      completed_at: z.date().nullable(),
    })
    .transform(({ received_at: receivedAt, completed_at: completedAt, ...rest }): RequestOf => ({
      ...rest,
      receivedAt,
      completedAt,
    })),
);

/** Requests whose subject is known by one of these, the newest first. */
export async function listRequestsOf(
  db: Queryable,
  refs: readonly SubjectRef[],
  most: number,
): Promise<readonly RequestOf[]> {
  const { rows } = await db.query(
    `SELECT id, type, regulation, state, outcome, received_at, completed_at FROM erasure_requests
     WHERE id IN (
       SELECT request_id FROM request_subjects WHERE ref IN (SELECT decode(hex, 'hex') FROM unnest($1::text[]) AS hex)
     )
     ORDER BY id DESC LIMIT $2`,
    [refs.map(({ value }) => value), most],
  );
  return requestsOf.parse(rows);
}

/** Seed of the advisory locks on users who are there again; spells "back". */
const LOCK_SEED = 0x6261636b;

/**
 * A request that has not found its subject yet will erase it where it may look; one that has, where it has a task that has
 * not ended.
 */
export async function findOpenErasure(
  db: Queryable,
  { refs, connection, projectKey, but }: ErasurePlace,
): Promise<string | undefined> {
  const hexes = refs.map(({ value }) => value);
  await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [hexes.join(' '), LOCK_SEED]);
  // A statement of its own: only now is what another has made to be seen.
  const { rows } = await db.query(
    `SELECT DISTINCT request.id FROM request_subjects JOIN erasure_requests request ON id = request_id
     WHERE ref IN (SELECT decode(hex, 'hex') FROM unnest($1::text[]) AS hex) AND id <> $4
       AND state NOT IN ('completed', 'refused', 'cancelled') AND type <> 'access'
       AND (connection IS NULL OR connection = $2) AND (project_keys IS NULL OR $3 = ANY (project_keys))
       AND (NOT EXISTS (SELECT FROM tasks WHERE tasks.request_id = request.id) OR EXISTS (
         SELECT FROM tasks
         WHERE tasks.request_id = request.id AND tasks.connection = $2 AND tasks.project_key = $3
           AND tasks.state NOT IN ('erased', 'cancelled')
           AND tasks.user_ref IN (SELECT decode(hex, 'hex') FROM unnest($1::text[]) AS hex)
       ))
     ORDER BY 1 LIMIT 1`,
    [hexes, connection, projectKey, but],
  );
  return ids.parse(rows)[0]?.id;
}

const pairs = z.array(z.object({ id: z.string(), related: z.string() }));

/** For each of these requests, the others that are not closed and have a pseudonym in common with it. */
export async function listRelated(
  db: Queryable,
  requestIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await db.query(
    `SELECT DISTINCT mine.request_id AS id, theirs.request_id AS related
     FROM request_subjects mine
     JOIN request_subjects theirs ON theirs.ref = mine.ref AND theirs.request_id <> mine.request_id
     JOIN erasure_requests other ON other.id = theirs.request_id
     WHERE mine.request_id = ANY ($1) AND other.state NOT IN ('completed', 'refused', 'cancelled')
     ORDER BY 2`,
    [requestIds],
  );
  const related = new Map<string, string[]>();
  for (const pair of pairs.parse(rows)) related.set(pair.id, [...(related.get(pair.id) ?? []), pair.related]);
  return related;
}

export async function listHeldRequestsOf(db: Queryable, ref: string): Promise<readonly string[]> {
  const { rows } = await db.query(
    `SELECT id FROM request_subjects JOIN erasure_requests ON id = request_id
     WHERE ref = decode($1, 'hex') AND state = 'on_hold' AND held_by = 'standing_hold' ORDER BY id`,
    [ref],
  );
  return ids.parse(rows).map(({ id }) => id);
}
