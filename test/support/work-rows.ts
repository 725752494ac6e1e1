import type pg from 'pg';
import { z } from 'zod';
import type { WorkKind } from '../../src/domain/work.ts';

/** Work to plant; each piece is of a request and a task of its own. */
export interface PlantedWork {
  /** 1 when not given. */
  readonly count?: number;
  readonly connection?: string;
  /** Null is work without a project, as discovery has. */
  readonly projectKey?: string | null;
  readonly kind?: WorkKind;
  /** From now; below zero it is overdue. A minute overdue when not given. */
  readonly dueInMs?: number;
}

const ids = z.array(z.object({ id: z.string() }));

/** Writes work with the requests and tasks it needs; gives the ids of the work, the earliest due first. */
export async function plantWork(pool: pg.Pool, work: PlantedWork = {}): Promise<string[]> {
  const {
    count = 1,
    connection = 'default',
    projectKey = 'projectA',
    kind = 'submit',
    dueInMs = -60_000,
  } = work;
  const { rows } = await pool.query(
    `WITH key AS (
       INSERT INTO api_keys (id, name, token_hash, scopes)
       SELECT 'ak_' || id, 'test', sha256(id::text::bytea), '{admin}' FROM gen_random_uuid() AS id RETURNING id
     ), request AS (
       INSERT INTO erasure_requests (id, state, regulation, channel, connection, subject_kind, subject_key_version,
         subject_ref, subject_sealed, submitted_by, received_at, created_at)
       SELECT 'er_' || gen_random_uuid(), 'erasing', 'gdpr', 'api', $2, 'user_id', 1, sha256(''), '', key.id, now(), now()
       FROM key, generate_series(1, $1) RETURNING id
     ), task AS (
       INSERT INTO tasks (id, request_id, connection, project_key, state)
       SELECT 'tk_' || gen_random_uuid(), id, $2, COALESCE($3, 'projectA'), 'pending' FROM request RETURNING id, request_id
     )
     INSERT INTO work (request_id, task_id, connection, project_key, kind, run_at, reason)
     SELECT request_id, id, $2, $3, $4, now() + ($5 + row_number() OVER ()) * interval '1 millisecond', 'queued' FROM task
     RETURNING id`,
    [count, connection, projectKey, kind, dueInMs],
  );
  return ids.parse(rows).map((row) => row.id);
}

const workRow = z.object({
  id: z.string(),
  request_id: z.string(),
  kind: z.string(),
  reason: z.string(),
  attempts: z.number(),
  lease: z.string().nullable(),
  held: z.boolean(),
  run_at: z.date(),
  due: z.boolean(),
});
export type WorkRow = z.infer<typeof workRow>;

/** All rows of work as they stand, by id. */
export async function readWork(pool: pg.Pool): Promise<WorkRow[]> {
  const { rows } = await pool.query(
    'SELECT id, request_id, kind, reason, attempts, lease, held, run_at, run_at <= now() AS due FROM work ORDER BY id',
  );
  return z.array(workRow).parse(rows);
}

/** Moves the end of every lease into the past, as if its time were over. */
export async function endLeases(pool: pg.Pool): Promise<void> {
  await pool.query("UPDATE work SET run_at = now() - interval '1 second' WHERE lease IS NOT NULL");
}
