import { z } from 'zod';
import type { ApiKey } from '../app/ports.ts';
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

export async function insertApiKey(db: Queryable, key: ApiKey & { tokenHash: Uint8Array }): Promise<void> {
  await db.query('INSERT INTO api_keys (id, name, token_hash, scopes) VALUES ($1, $2, $3, $4)', [
    key.id,
    key.name,
    key.tokenHash,
    key.scopes,
  ]);
}
