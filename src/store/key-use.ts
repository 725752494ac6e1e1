import { z } from 'zod';
import type { ApiKey, KeyUse } from '../app/ports/keys.ts';
import type { Quota, RateLimit } from '../domain/rate-limit.ts';
import type { Queryable } from './connection.ts';

const rows = z.tuple([
  z.object({
    id: z.string().nullable(),
    name: z.string().nullable(),
    scopes: z.array(z.string()).nullable(),
    requests: z.number(),
    seconds: z.number(),
    used: z.number(),
    resets_in: z.number(),
  }),
]);

/**
 * Finds the key, notes its use and counts the call in one statement, since every call of the API begins with it. That
 * the key was used is written once a minute at most; the count is written each time, to a table that is not logged.
 */
export async function useApiKey(
  db: Queryable,
  use: KeyUse,
): Promise<{ key: ApiKey | undefined; quota: Quota }> {
  const { rows: found } = await db.query(
    `WITH known AS (
       SELECT * FROM api_keys
       WHERE id = (SELECT id FROM api_keys WHERE token_hash = $1
                   UNION ALL
                   SELECT api_key_id FROM api_key_old_tokens WHERE token_hash = $1 AND valid_until > now()
                   LIMIT 1)
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
     ), noted AS (
       UPDATE api_keys SET last_used_at = now() FROM known
       WHERE api_keys.id = known.id
         AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < now() - interval '1 minute')
     ), counter AS (
       SELECT id AS bucket, COALESCE(rate_limit_requests, $3) AS requests, COALESCE(rate_limit_seconds, $4) AS seconds
       FROM known
       UNION ALL
       SELECT $2, $5, $6 WHERE NOT EXISTS (SELECT FROM known)
     ), counted AS (
       INSERT INTO rate_limits AS before (bucket, used, resets_at)
       SELECT bucket, 1, now() + seconds * interval '1 second' FROM counter
       ON CONFLICT (bucket) DO UPDATE SET
         used = CASE WHEN before.resets_at > now() THEN before.used + 1 ELSE 1 END,
         resets_at = CASE WHEN before.resets_at > now() THEN before.resets_at ELSE excluded.resets_at END
       RETURNING used, resets_at
     )
     SELECT known.id, name, scopes, requests, seconds, used,
       GREATEST(1, ceil(extract(epoch FROM resets_at - now())))::int AS resets_in
     FROM counter CROSS JOIN counted LEFT JOIN known ON true`,
    [
      use.tokenHash,
      use.origin,
      use.keyLimit.requests,
      use.keyLimit.perSeconds,
      use.wrongKeyLimit.requests,
      use.wrongKeyLimit.perSeconds,
    ],
  );
  const [{ id, name, scopes, ...count }] = rows.parse(found);
  const quota = {
    limit: { requests: count.requests, perSeconds: count.seconds },
    used: count.used,
    resetsInSeconds: count.resets_in,
  };
  if (id !== null && name !== null && scopes !== null) return { key: { id, name, scopes }, quota };
  if (quota.used === 1) await deleteEndedCounts(db);
  return { key: undefined, quota };
}

const countRow = z.tuple([z.object({ used: z.number(), resets_in: z.number() })]);

/** Counts one use of a bucket, whose window begins with the first use after the one before ended. */
export async function countUse(db: Queryable, bucket: string, limit: RateLimit): Promise<Quota> {
  const { rows } = await db.query(
    `INSERT INTO rate_limits AS before (bucket, used, resets_at) VALUES ($1, 1, now() + $2 * interval '1 second')
     ON CONFLICT (bucket) DO UPDATE SET
       used = CASE WHEN before.resets_at > now() THEN before.used + 1 ELSE 1 END,
       resets_at = CASE WHEN before.resets_at > now() THEN before.resets_at ELSE excluded.resets_at END
     RETURNING used, GREATEST(1, ceil(extract(epoch FROM resets_at - now())))::int AS resets_in`,
    [bucket, limit.perSeconds],
  );
  const [{ used, resets_in: resetsInSeconds }] = countRow.parse(rows);
  if (used === 1) await deleteEndedCounts(db);
  return { limit, used, resetsInSeconds };
}

/**
 * Addresses come and go, so whoever brings a new one takes some old ones away: there are never many more than sent wrong
 * keys within an hour. What another call is just counting is passed over.
 */
async function deleteEndedCounts(db: Queryable): Promise<void> {
  await db.query(
    `DELETE FROM rate_limits WHERE bucket IN (
       SELECT bucket FROM rate_limits WHERE resets_at < now() - interval '1 hour' LIMIT 20 FOR UPDATE SKIP LOCKED)`,
  );
}
