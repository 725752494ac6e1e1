import { z } from 'zod';
import type { ApiKey, ListedApiKey } from '../app/ports.ts';
import type { Queryable } from './connection.ts';

const rows = z.array(z.object({ id: z.string(), name: z.string(), scopes: z.array(z.string()) }));

/** The key with this token hash that is not revoked. Its last use is noted, at most once a minute. */
export async function findApiKey(db: Queryable, tokenHash: Uint8Array): Promise<ApiKey | undefined> {
  const found = await db.query(
    `WITH used AS (
       UPDATE api_keys SET last_used_at = now()
       WHERE token_hash = $1 AND revoked_at IS NULL
         AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
     )
     SELECT id, name, scopes FROM api_keys WHERE token_hash = $1 AND revoked_at IS NULL`,
    [tokenHash],
  );
  return rows.parse(found.rows)[0];
}

/** Adds a key and says so; one with the same token that is there already, revoked or not, stays as it is. */
export async function insertApiKey(db: Queryable, key: ApiKey & { tokenHash: Uint8Array }): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO api_keys (id, name, token_hash, scopes) VALUES ($1, $2, $3, $4)
     ON CONFLICT (token_hash) DO NOTHING`,
    [key.id, key.name, key.tokenHash, key.scopes],
  );
  return rowCount === 1;
}

const listed = z.array(
  z
    .object({
      id: z.string(),
      name: z.string(),
      scopes: z.array(z.string()),
      created_at: z.date(),
      last_used_at: z.date().nullable(),
      revoked_at: z.date().nullable(),
    })
    .transform(({ created_at: createdAt, last_used_at: lastUsedAt, revoked_at: revokedAt, ...rest }) => ({
      ...rest,
      createdAt,
      lastUsedAt,
      revokedAt,
    })),
);

/** All keys, the oldest first; last use is right to the minute. */
export async function listApiKeys(db: Queryable): Promise<readonly ListedApiKey[]> {
  const { rows: found } = await db.query(
    'SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM api_keys ORDER BY id',
  );
  return listed.parse(found);
}

/** From now on the key opens nothing. Says whether there is one with this id that was not revoked before. */
export async function revokeApiKey(db: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
    [id],
  );
  return rowCount === 1;
}
