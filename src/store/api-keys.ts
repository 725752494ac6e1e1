import { z } from 'zod';
import type { KeptApiKey, NewApiKey } from '../app/ports/keys.ts';
import type { Queryable } from './connection.ts';

const row = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    created_at: z.date(),
    created_by: z.string().nullable(),
    expires_at: z.date().nullable(),
    last_used_at: z.date().nullable(),
    revoked_at: z.date().nullable(),
    rotated_at: z.date().nullable(),
    old_token_until: z.date().nullable(),
    rate_limit_requests: z.number().nullable(),
    rate_limit_seconds: z.number().nullable(),
  })
  .transform((from): KeptApiKey => ({
    id: from.id,
    name: from.name,
    scopes: from.scopes,
    createdAt: from.created_at,
    createdBy: from.created_by,
    expiresAt: from.expires_at,
    lastUsedAt: from.last_used_at,
    revokedAt: from.revoked_at,
    rotatedAt: from.rotated_at,
    oldTokenUntil: from.old_token_until,
    rateLimit:
      from.rate_limit_requests === null || from.rate_limit_seconds === null
        ? null
        : { requests: from.rate_limit_requests, perSeconds: from.rate_limit_seconds },
  }));

const KEPT = `SELECT id, name, scopes, created_at, created_by, expires_at, last_used_at, revoked_at, rotated_at,
  rate_limit_requests, rate_limit_seconds,
  (SELECT max(valid_until) FROM api_key_old_tokens WHERE api_key_id = api_keys.id) AS old_token_until FROM api_keys`;

/**
 * Adds a key and says so; one with the same token that is or was there, revoked or not, stays as it is, and so does one for the
 * same way in.
 */
export async function insertApiKey(db: Queryable, key: NewApiKey): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO api_keys (id, name, token_hash, scopes, created_at, created_by, expires_at, rate_limit_requests,
       rate_limit_seconds, made_for)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
     WHERE NOT EXISTS (SELECT FROM api_key_old_tokens WHERE token_hash = $3)
     ON CONFLICT DO NOTHING`,
    [
      key.id,
      key.name,
      key.tokenHash,
      key.scopes,
      key.createdAt,
      key.createdBy,
      key.expiresAt,
      key.rateLimit?.requests ?? null,
      key.rateLimit?.perSeconds ?? null,
      key.madeFor ?? null,
    ],
  );
  return rowCount === 1;
}

const ids = z.array(z.object({ id: z.string() }));

export async function findKeyMadeFor(db: Queryable, purpose: string): Promise<string | undefined> {
  const { rows } = await db.query('SELECT id FROM api_keys WHERE made_for = $1 AND revoked_at IS NULL', [
    purpose,
  ]);
  return ids.parse(rows)[0]?.id;
}

/** All keys, the oldest first. */
export async function listApiKeys(db: Queryable): Promise<readonly KeptApiKey[]> {
  const { rows } = await db.query(`${KEPT} ORDER BY id`);
  return z.array(row).parse(rows);
}

export async function lockApiKey(db: Queryable, id: string): Promise<KeptApiKey | undefined> {
  const { rows } = await db.query(`${KEPT} WHERE id = $1 FOR NO KEY UPDATE`, [id]);
  return z.array(row).parse(rows)[0];
}

/** By id, so that two that lock them do not wait for each other. Whoever had to wait sees what the other did. */
export async function lockAdminKeys(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query(
    `SELECT id FROM api_keys
     WHERE 'admin' = ANY (scopes) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
     ORDER BY id FOR NO KEY UPDATE`,
  );
  return ids.parse(rows).map(({ id }) => id);
}

/** From now on the key opens nothing, with whichever token. */
export async function revokeApiKey(db: Queryable, id: string): Promise<void> {
  await db.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL', [id]);
}

/** The caller holds the key's lock. Tokens that were replaced before end with this one at the latest. */
export async function replaceToken(
  db: Queryable,
  key: { id: string; tokenHash: Uint8Array; graceSeconds: number },
): Promise<void> {
  await db.query(
    `WITH earlier AS (
       UPDATE api_key_old_tokens SET valid_until = LEAST(valid_until, now()) WHERE api_key_id = $1
     ), replaced AS (
       INSERT INTO api_key_old_tokens (token_hash, api_key_id, valid_until)
       SELECT token_hash, id, now() + $3 * interval '1 second' FROM api_keys WHERE id = $1
     )
     UPDATE api_keys SET token_hash = $2, rotated_at = now() WHERE id = $1`,
    [key.id, key.tokenHash, key.graceSeconds],
  );
}
