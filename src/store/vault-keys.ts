import { z } from 'zod';
import type { DataKey, EarlySeal, VaultTransaction, WrappedKey } from '../app/ports/vault.ts';
import type { Queryable } from './connection.ts';

const wrappedKeys = z.array(z.object({ of: z.string(), wrapped: z.instanceof(Buffer) }));

/** The master key that wraps a key: see src/vault/master-keys.ts. */
const MASTER = `encode(substring(wrapped FROM 2 FOR 8), 'hex')`;

export async function listVaultKeys(db: Queryable): Promise<readonly WrappedKey[]> {
  const { rows } = await db.query('SELECT use AS of, wrapped FROM vault_keys ORDER BY use');
  return wrappedKeys.parse(rows);
}

/** Where another process was first, its keys stay: it may have used them. */
export async function insertVaultKeys(db: Queryable, keys: readonly WrappedKey[]): Promise<void> {
  await db.query(
    `INSERT INTO vault_keys (use, wrapped) SELECT * FROM unnest($1::text[], $2::bytea[]) AS given (use, wrapped)
     ORDER BY use ON CONFLICT (use) DO NOTHING`,
    columnsOf(keys),
  );
}

const early = z.tuple([
  z.object({
    in_use: z.boolean(),
    owner_id: z.string().nullable(),
    field: z.enum(['subject', 'signing_key']).nullable(),
    sealed: z.instanceof(Buffer).nullable(),
  }),
]);

/** Whatever was started has a key that signs, and whatever uses it an API key; subjects of requests and of holds are sealed alike. */
export async function findEarlySeal(db: Queryable): Promise<EarlySeal | undefined> {
  const { rows } = await db.query(
    `SELECT EXISTS (SELECT FROM api_keys) OR EXISTS (SELECT FROM log_keys) AS in_use, owner_id, field, sealed
     FROM (VALUES (1)) AS one LEFT JOIN (
       (SELECT id AS owner_id, 'subject' AS field, subject_sealed AS sealed FROM erasure_requests
        WHERE subject_sealed IS NOT NULL ORDER BY id DESC LIMIT 1)
       UNION ALL (SELECT id, 'subject', subject_sealed FROM holds ORDER BY id DESC LIMIT 1)
       UNION ALL (SELECT origin, 'signing_key', private_sealed FROM log_keys ORDER BY created_at DESC LIMIT 1)
       LIMIT 1
     ) AS sample ON true`,
  );
  const [{ in_use: inUse, owner_id: ownerId, field, sealed }] = early.parse(rows);
  if (!inUse) return undefined;
  const isThere = ownerId !== null && field !== null && sealed !== null;
  return { sample: isThere ? { ownerId, field, sealed } : undefined };
}

const master = z.array(z.object({ master: z.string() }));

export async function findOtherMaster(
  db: Queryable,
  masterIds: readonly string[],
): Promise<string | undefined> {
  const { rows } = await db.query(
    `SELECT ${MASTER} AS master FROM (
       SELECT wrapped FROM data_keys UNION ALL SELECT key_wrapped FROM webhook_deliveries
     ) AS kept WHERE ${MASTER} <> ALL ($1) LIMIT 1`,
    [masterIds],
  );
  return master.parse(rows)[0]?.master;
}

export async function insertDataKeys(db: Queryable, keys: readonly DataKey[]): Promise<void> {
  await db.query(
    'INSERT INTO data_keys (request_id, wrapped) SELECT * FROM unnest($1::text[], $2::bytea[])',
    [keys.map(({ requestId }) => requestId), keys.map(({ wrapped }) => wrapped)],
  );
}

export async function lockDataKeys(
  db: Queryable,
  of: Parameters<VaultTransaction['lockDataKeys']>[0],
): Promise<readonly WrappedKey[]> {
  const { rows } = await db.query(
    `SELECT request_id AS of, wrapped FROM data_keys WHERE request_id > $1 AND ${MASTER} <> $2
     ORDER BY request_id LIMIT $3 FOR UPDATE`,
    [of.after, of.notBy, of.limit],
  );
  const ofRequests = wrappedKeys.parse(rows);
  if (ofRequests.length > 0) return ofRequests;
  // Their ids come after those of requests.
  const others = await db.query(
    `SELECT of, wrapped FROM (SELECT id AS of, key_wrapped AS wrapped FROM webhook_deliveries) AS kept
     WHERE of > $1 AND ${MASTER} <> $2 ORDER BY of LIMIT $3 FOR UPDATE`,
    [of.after, of.notBy, of.limit],
  );
  return wrappedKeys.parse(others.rows);
}

export async function lockVaultKeys(db: Queryable, notBy: string): Promise<readonly WrappedKey[]> {
  const { rows } = await db.query(
    `SELECT use AS of, wrapped FROM vault_keys WHERE ${MASTER} <> $1 ORDER BY use FOR UPDATE`,
    [notBy],
  );
  return wrappedKeys.parse(rows);
}

export async function replaceDataKeys(db: Queryable, keys: readonly WrappedKey[]): Promise<void> {
  await db.query(
    `WITH given AS (SELECT * FROM unnest($1::text[], $2::bytea[]) AS given (id, wrapped)), of_deliveries AS (
       UPDATE webhook_deliveries SET key_wrapped = given.wrapped FROM given WHERE webhook_deliveries.id = given.id
     )
     UPDATE data_keys SET wrapped = given.wrapped FROM given WHERE request_id = given.id`,
    columnsOf(keys),
  );
}

export async function replaceVaultKeys(db: Queryable, keys: readonly WrappedKey[]): Promise<void> {
  await db.query(
    `UPDATE vault_keys SET wrapped = given.wrapped FROM unnest($1::text[], $2::bytea[]) AS given (id, wrapped)
     WHERE use = given.id`,
    columnsOf(keys),
  );
}

function columnsOf(keys: readonly WrappedKey[]): [string[], Uint8Array[]] {
  return [keys.map(({ of }) => of), keys.map(({ wrapped }) => wrapped)];
}

/** The key, and every ciphertext of the request, whichever key it is under. */
export async function destroySubject(db: Queryable, requestId: string): Promise<void> {
  await db.query(
    `WITH key AS (DELETE FROM data_keys WHERE request_id = $1),
       of_tasks AS (UPDATE tasks SET user_sealed = NULL WHERE request_id = $1),
       of_decisions AS (UPDATE decisions SET text_sealed = NULL WHERE request_id = $1),
       parts AS (DELETE FROM package_parts WHERE request_id = $1),
       of_packages AS (UPDATE package_tasks SET progress_sealed = NULL WHERE request_id = $1)
     UPDATE erasure_requests SET subject_sealed = NULL, note_sealed = NULL, subject_destroyed_at = now() WHERE id = $1`,
    [requestId],
  );
}

const tasks = z.array(z.object({ task_id: z.string() }));

export async function listLooks(db: Queryable, requestId: string): Promise<readonly string[]> {
  const { rows } = await db.query(
    `SELECT task_id FROM work WHERE request_id = $1 AND kind = 'sentinel' ORDER BY task_id`,
    [requestId],
  );
  return tasks.parse(rows).map(({ task_id: taskId }) => taskId);
}

export async function deleteLooks(db: Queryable, requestId: string): Promise<void> {
  await db.query(`DELETE FROM work WHERE request_id = $1 AND kind = 'sentinel'`, [requestId]);
}
