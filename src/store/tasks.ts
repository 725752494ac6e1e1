import pg from 'pg';
import { z } from 'zod';
import { UNROUTABLE_REASONS } from '../domain/identifiers.ts';
import { REMOTE_STATUSES } from '../domain/openreplay.ts';
import type { NewTask, ObservedRounds, RequestScope } from '../app/ports.ts';
import type { ObservedRound } from '../domain/round-habit.ts';
import { TASK_STATES } from '../domain/states.ts';
import { TASK_ATTENTIONS, type Task } from '../domain/task.ts';
import type { Queryable, Rows } from './connection.ts';

export const round = z.object({
  number: z.number(),
  jobId: z.string().nullable(),
  adopted: z.boolean(),
  reported: z.enum([...REMOTE_STATUSES, 'unknown', 'no_such_user', 'vanished']).nullable(),
  sessionsBefore: z.number().nullable(),
  intendedAt: z.string(),
  submittedAt: z.string().nullable(),
  startAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  overdueAt: z.string().optional(),
  stalledAt: z.string().optional(),
  doubts: z.number(),
});

const checkResult = z.enum(['absent', 'residue', 'unavailable']);
export const verification = z.object({
  user: checkResult,
  sessions: checkResult,
  sessionsFound: z.number().nullable(),
  live: checkResult,
  liveOffered: z.boolean(),
  verifiedAt: z.string(),
});

const row = z
  .object({
    id: z.string(),
    request_id: z.string(),
    connection: z.string(),
    project_key: z.string().nullable(),
    state: z.enum(TASK_STATES),
    unroutable_reason: z.enum(UNROUTABLE_REASONS).nullable(),
    attention: z.enum(TASK_ATTENTIONS).nullable(),
    rounds: z.array(round),
    verification: verification.nullable(),
    verifying_since: z.date().nullable(),
    user_ref: z.string().nullable(),
    live_since: z.date().nullable(),
  })
  .transform((from): Task => ({
    id: from.id,
    requestId: from.request_id,
    connection: from.connection,
    projectKey: from.project_key,
    state: from.state,
    unroutableReason: from.unroutable_reason,
    attention: from.attention,
    rounds: from.rounds,
    verification: from.verification,
    verifyingSince: from.verifying_since?.toISOString() ?? null,
    userRef: from.user_ref,
    liveSince: from.live_since?.toISOString() ?? null,
  }));

export async function insertTasks(db: Queryable, tasks: readonly NewTask[]): Promise<void> {
  if (tasks.length === 0) return;
  await db.query(
    `INSERT INTO tasks (id, request_id, connection, project_key, state, unroutable_reason, attention, rounds, user_ref,
       user_sealed)
     SELECT id, request_id, connection, project_key, state, unroutable_reason, attention, rounds, decode(user_ref, 'hex'),
       user_sealed
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::text[],
       $10::bytea[]) AS given (id, request_id, connection, project_key, state, unroutable_reason, attention, rounds,
       user_ref, user_sealed)`,
    [
      tasks.map((task) => task.id),
      tasks.map((task) => task.requestId),
      tasks.map((task) => task.connection),
      tasks.map((task) => task.projectKey),
      tasks.map((task) => task.state),
      tasks.map((task) => task.unroutableReason),
      tasks.map((task) => task.attention),
      tasks.map((task) => JSON.stringify(task.rounds)),
      tasks.map((task) => task.userRef),
      tasks.map((task) => task.userSealed),
    ],
  );
}

const COLUMNS = `id, request_id, connection, project_key, state, unroutable_reason, attention, rounds, verification,
  verifying_since, encode(user_ref, 'hex') AS user_ref, live_since`;

/** Reads a request's tasks as text of SQL, to stand with other statements in one message. */
export function selectSql(requestId: string): string {
  return `SELECT ${COLUMNS}, user_sealed FROM tasks WHERE request_id = ${pg.escapeLiteral(requestId)} ORDER BY id`;
}

const sealed = z.object({ id: z.string(), user_sealed: z.instanceof(Buffer).nullable() });

/** What selectSql found; the ciphertext of each task's user id, by the task's id. */
export function readSelected(rows: Rows): Pick<RequestScope, 'tasks' | 'usersSealed'> {
  const users = z.array(sealed).parse(rows);
  return {
    tasks: z.array(row).parse(rows),
    usersSealed: new Map(users.flatMap((user) => (user.user_sealed ? [[user.id, user.user_sealed]] : []))),
  };
}

/** The tasks of these requests, oldest first. */
export async function listTasks(db: Queryable, requestIds: readonly string[]): Promise<readonly Task[]> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM tasks WHERE request_id = ANY ($1) ORDER BY id`, [
    requestIds,
  ]);
  return z.array(row).parse(rows);
}

export async function listTasksById(db: Queryable, ids: readonly string[]): Promise<readonly Task[]> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM tasks WHERE id = ANY ($1)`, [ids]);
  return z.array(row).parse(rows);
}

const observed = z.array(
  z
    .object({
      connection: z.string(),
      submitted_at: z.string(),
      start_at: z.string().nullable(),
      ended_at: z.string(),
    })
    .transform((from) => ({
      connection: from.connection,
      round: { submittedAt: from.submitted_at, startAt: from.start_at, endedAt: from.ended_at },
    })),
);

/**
 * The most recent first, of tasks that are erased: they are found by an index, and nothing of them changes any more.
 * When an adopted job was asked for is not known, so it tells nothing.
 */
export async function listObservedRounds(
  db: Queryable,
  connections: readonly string[],
  perConnection: number,
): Promise<ObservedRounds> {
  const { rows } = await db.query(
    `SELECT connection, round->>'submittedAt' AS submitted_at, round->>'startAt' AS start_at, round->>'endedAt' AS ended_at
     FROM unnest($1::text[]) AS known (name), LATERAL (
       SELECT connection, round
       FROM (
         SELECT connection, rounds FROM tasks WHERE state = 'erased' AND connection = name
         ORDER BY updated_at DESC LIMIT $2
       ) AS latest, jsonb_array_elements(rounds) AS round
       WHERE round->>'reported' = 'completed' AND round->>'adopted' = 'false'
         AND round->>'submittedAt' IS NOT NULL AND round->>'endedAt' IS NOT NULL
       ORDER BY round->>'endedAt' DESC LIMIT $2
     ) AS finished`,
    [connections, perConnection],
  );
  const found = new Map<string, ObservedRound[]>();
  for (const { connection, round: finished } of observed.parse(rows)) {
    found.set(connection, [...(found.get(connection) ?? []), finished]);
  }
  return found;
}
