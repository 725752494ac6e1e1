import { z } from 'zod';
import type { Callback, CallbackTransaction } from '../app/ports/callbacks.ts';
import { CALLBACK_STATES } from '../domain/callback.ts';
import type { Queryable } from './connection.ts';

const row = z
  .object({
    id: z.string(),
    name: z.string(),
    url_sealed: z.instanceof(Buffer),
    secret_sealed: z.instanceof(Buffer),
    old_secret_sealed: z.instanceof(Buffer).nullable(),
    old_secret_until: z.date().nullable(),
    events: z.array(z.string()),
    state: z.enum(CALLBACK_STATES),
    created_by: z.string(),
    created_at: z.date(),
    ended_at: z.date().nullable(),
    last_success_at: z.date().nullable(),
    failing_since: z.date().nullable(),
  })
  .transform((from): Callback => ({
    id: from.id,
    name: from.name,
    urlSealed: from.url_sealed,
    secretSealed: from.secret_sealed,
    oldSecretSealed: from.old_secret_sealed,
    oldSecretUntil: from.old_secret_until,
    events: from.events,
    state: from.state,
    createdBy: from.created_by,
    createdAt: from.created_at,
    endedAt: from.ended_at,
    lastSuccessAt: from.last_success_at,
    failingSince: from.failing_since,
  }));

/** The oldest first. */
export async function listCallbacks(db: Queryable): Promise<readonly Callback[]> {
  const { rows } = await db.query('SELECT * FROM callbacks ORDER BY id');
  return z.array(row).parse(rows);
}

export async function findCallback(db: Queryable, id: string): Promise<Callback | undefined> {
  const { rows } = await db.query('SELECT * FROM callbacks WHERE id = $1', [id]);
  return z.array(row).parse(rows)[0];
}

export async function lockCallback(db: Queryable, id: string): Promise<Callback | undefined> {
  const { rows } = await db.query('SELECT * FROM callbacks WHERE id = $1 FOR NO KEY UPDATE', [id]);
  return z.array(row).parse(rows)[0];
}

export async function countCallbacks(db: Queryable): Promise<number> {
  const { rowCount } = await db.query('SELECT FROM callbacks');
  return rowCount ?? 0;
}

export async function insertCallback(
  db: Queryable,
  callback: Parameters<CallbackTransaction['insertCallback']>[0],
): Promise<void> {
  await db.query(
    `INSERT INTO callbacks (id, name, url_sealed, secret_sealed, events, created_by, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      callback.id,
      callback.name,
      callback.urlSealed,
      callback.secretSealed,
      callback.events,
      callback.createdBy,
      callback.createdAt,
    ],
  );
}

export async function updateCallback(db: Queryable, callback: Callback): Promise<void> {
  await db.query(
    `UPDATE callbacks SET name = $2, url_sealed = $3, secret_sealed = $4, old_secret_sealed = $5, old_secret_until = $6,
       events = $7, state = $8, ended_at = $9, last_success_at = $10, failing_since = $11 WHERE id = $1`,
    [
      callback.id,
      callback.name,
      callback.urlSealed,
      callback.secretSealed,
      callback.oldSecretSealed,
      callback.oldSecretUntil,
      callback.events,
      callback.state,
      callback.endedAt,
      callback.lastSuccessAt,
      callback.failingSince,
    ],
  );
}

export async function deleteCallback(db: Queryable, id: string): Promise<void> {
  await db.query('DELETE FROM callbacks WHERE id = $1', [id]);
}
