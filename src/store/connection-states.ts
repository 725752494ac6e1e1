import { z } from 'zod';
import type {
  ConnectionRow,
  ConnectionState,
  ConnectionStateTransaction,
  GateStore,
} from '../app/ports/gate.ts';
import { CLOSING_REASONS } from '../domain/connection-mood.ts';
import { available, type Queryable } from './connection.ts';

const states = z.tuple([
  z
    .object({
      paused: z.boolean(),
      failures: z.number(),
      shut_for_ms: z.number().nullable(),
      shut_reason: z.enum(CLOSING_REASONS).nullable(),
    })
    .transform(({ paused, failures, shut_for_ms: shutForMs, shut_reason: shutReason }): ConnectionState => ({
      paused,
      failures,
      shutForMs,
      shutReason,
    })),
]);

const listed = z.array(
  z
    .object({
      name: z.string(),
      paused_at: z.date().nullable(),
      paused_by: z.string().nullable(),
      reason_sealed: z.instanceof(Buffer).nullable(),
      shut_reason: z.enum(CLOSING_REASONS).nullable(),
      shut_until: z.date().nullable(),
      is_shut: z.boolean(),
      failures: z.number(),
    })
    .transform((from): ConnectionRow => ({
      name: from.name,
      pausedAt: from.paused_at,
      pausedBy: from.paused_by,
      reasonSealed: from.reason_sealed,
      shutReason: from.shut_reason,
      shutUntil: from.shut_until,
      isShut: from.is_shut,
      failures: from.failures,
    })),
);

const STATE = `state.paused_at IS NOT NULL AS paused, state.failures, state.shut_reason,
  (extract(epoch FROM state.shut_until - now()) * 1000)::float8 AS shut_for_ms`;

const WELL: ConnectionState = { paused: false, failures: 0, shutForMs: null, shutReason: null };

/** The gate's part of the store. A server without a row has never been in trouble. */
export function createGateStore(pool: Queryable): GateStore {
  return {
    readConnectionState: (name) => available(readState(pool, name)),
    beginTrial: (name, trialMs) => available(beginTrial(pool, name, trialMs)),
    noteTrouble: (name, trouble) => available(noteTrouble(pool, name, trouble)),
    noteSuccess: (name, { trial }) => available(noteSuccess(pool, name, trial)),
    reserveCalls: (name, count, intervalMs) => available(reserveCalls(pool, { name, count, intervalMs })),
  };
}

async function readState(db: Queryable, name: string): Promise<ConnectionState> {
  const { rows } = await db.query(`SELECT ${STATE} FROM connection_states AS state WHERE name = $1`, [name]);
  return rows.length === 0 ? WELL : states.parse(rows)[0];
}

async function beginTrial(db: Queryable, name: string, trialMs: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE connection_states SET trial_until = now() + $2 * interval '1 millisecond'
     WHERE name = $1 AND paused_at IS NULL AND shut_until <= now() AND (trial_until IS NULL OR trial_until <= now())`,
    [name, trialMs],
  );
  return rowCount === 1;
}

/** Calls that were under way when the server was shut come back in trouble too: they lengthen nothing. */
async function noteTrouble(
  db: Queryable,
  name: string,
  { reason, atOnce, waitMs, trial, pace }: Parameters<GateStore['noteTrouble']>[1],
): Promise<ConnectionState> {
  await db.query('INSERT INTO connection_states (name) VALUES ($1) ON CONFLICT (name) DO NOTHING', [name]);
  const { rows } = await db.query(
    `UPDATE connection_states AS state SET
       failures = state.failures + 1,
       trial_until = CASE WHEN trial THEN NULL ELSE state.trial_until END,
       shuts = state.shuts + CASE WHEN shuts_now AND NOT is_shut THEN 1 ELSE 0 END,
       shut_until = CASE
         WHEN asked IS NOT NULL THEN GREATEST(state.shut_until, asked)
         WHEN shuts_now AND NOT is_shut
           THEN now() + LEAST($7::float8, $6::float8 * 2 ^ LEAST(state.shuts, 20)) * interval '1 millisecond'
         ELSE state.shut_until END,
       shut_reason = CASE WHEN shuts_now THEN $2 ELSE state.shut_reason END
     FROM (
       SELECT name, trial, asked, COALESCE(shut_until > now(), false) AS is_shut,
         at_once OR trial OR failures + 1 >= $5::int AS shuts_now
       FROM connection_states, (VALUES (
         $3::boolean, $4::boolean, now() + $8::float8 * interval '1 millisecond')) AS given (at_once, trial, asked)
       WHERE name = $1 FOR UPDATE OF connection_states
     ) AS seen
     WHERE state.name = seen.name
     RETURNING ${STATE}`,
    [name, reason, atOnce, trial, pace.failures, pace.baseMs, pace.maxMs, atOnce ? (waitMs ?? null) : null],
  );
  return states.parse(rows)[0];
}

/** The states that people see; a connection without a row has never been in trouble. */
export async function listConnectionStates(
  db: Queryable,
  names: readonly string[],
): Promise<readonly ConnectionRow[]> {
  const { rows } = await db.query(
    `SELECT name, paused_at, paused_by, reason_sealed, shut_reason, shut_until, failures,
       COALESCE(shut_until > now(), false) AS is_shut
     FROM connection_states WHERE name = ANY ($1)`,
    [names],
  );
  return listed.parse(rows);
}

export async function pauseConnection(
  db: Queryable,
  { name, by, at, reasonSealed }: Parameters<ConnectionStateTransaction['pauseConnection']>[0],
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO connection_states AS state (name, paused_by, paused_at, reason_sealed) VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO UPDATE SET
       paused_by = excluded.paused_by, paused_at = excluded.paused_at, reason_sealed = excluded.reason_sealed
     WHERE state.paused_at IS NULL`,
    [name, by, at, reasonSealed],
  );
  return rowCount === 1;
}

export async function resumeConnection(db: Queryable, name: string): Promise<boolean> {
  const { rows } = await db.query(
    `WITH before AS (SELECT paused_at FROM connection_states WHERE name = $1 FOR UPDATE)
     UPDATE connection_states SET paused_by = NULL, paused_at = NULL, reason_sealed = NULL, failures = 0, shuts = 0,
       shut_until = NULL, shut_reason = NULL, trial_until = NULL
     FROM before WHERE name = $1 RETURNING before.paused_at`,
    [name],
  );
  // Steps that met the closed gate wait with its reason.
  await db.query(
    `UPDATE work SET run_at = now() WHERE connection = $1 AND run_at > now() AND lease IS NULL
       AND reason IN ('connection_paused', 'key_refused', 'rate_limited', 'server_error', 'unreachable', 'no_answer')`,
    [name],
  );
  return rows.some((row) => z.object({ paused_at: z.date().nullable() }).parse(row).paused_at !== null);
}

/** A late answer of a call from before the closing opens nothing: only the one on trial does. */
async function noteSuccess(db: Queryable, name: string, trial: boolean): Promise<ConnectionState> {
  await db.query(
    trial
      ? `UPDATE connection_states SET failures = 0, shuts = 0, shut_until = NULL, shut_reason = NULL, trial_until = NULL
         WHERE name = $1 AND shut_until <= now()`
      : `UPDATE connection_states SET failures = 0 WHERE name = $1 AND failures > 0 AND shut_until IS NULL`,
    [name],
  );
  return readState(db, name);
}

async function reserveCalls(
  db: Queryable,
  { name, count, intervalMs }: { name: string; count: number; intervalMs: number },
): Promise<number> {
  const takenMs = count * intervalMs;
  const { rows } = await db.query(
    `INSERT INTO connection_states AS state (name, next_call_at) VALUES ($1, now() + $2 * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET
       next_call_at = GREATEST(state.next_call_at, now()) + $2 * interval '1 millisecond'
     RETURNING (extract(epoch FROM next_call_at - now()) * 1000 - $2)::float8 AS wait_ms`,
    [name, takenMs],
  );
  return z.tuple([z.object({ wait_ms: z.number() })]).parse(rows)[0].wait_ms;
}
