import { z } from 'zod';
import type { ImportLease, RowClaim, RowError } from '../app/ports/imports.ts';
import { ROW_MEMORY_DAYS } from '../domain/imports.ts';
import type { Queryable } from './connection.ts';

const taken = z.array(z.object({ request_id: z.string() }));
const counted = z.tuple([z.object({ before: z.number() })]);

/** In the order of their fingerprints, so that two transactions that take the same rows never wait for each other. */
export async function claimRows(
  db: Queryable,
  lease: ImportLease,
  rows: readonly RowClaim[],
): Promise<{ taken: ReadonlySet<string>; before: number }> {
  if (rows.length === 0) return { taken: new Set(), before: 0 };
  const claims = [
    lease.apiKeyId,
    lease.importId,
    rows.map(({ fingerprint }) => fingerprint),
    rows.map(({ line }) => line),
  ];
  const inserted = await db.query(
    `INSERT INTO import_rows (api_key_id, import_id, fingerprint, line, request_id)
     SELECT $1, $2, fingerprint, line, request_id
     FROM unnest($3::bytea[], $4::int[], $5::text[]) AS given (fingerprint, line, request_id) ORDER BY fingerprint
     ON CONFLICT (api_key_id, fingerprint) DO UPDATE
       SET import_id = excluded.import_id, line = excluded.line, request_id = excluded.request_id, taken_at = now()
       WHERE import_rows.taken_at < now() - interval '${ROW_MEMORY_DAYS} days' AND EXISTS (
         SELECT FROM erasure_requests
         WHERE id = import_rows.request_id AND state IN ('completed', 'refused', 'cancelled'))
     RETURNING request_id`,
    [...claims, rows.map(({ requestId }) => requestId)],
  );
  const ids = new Set(taken.parse(inserted.rows).map(({ request_id: id }) => id));
  if (ids.size === rows.length) return { taken: ids, before: 0 };
  // A statement of its own: the first does not see what it waited for.
  const known = await db.query(
    `SELECT count(*)::int AS before FROM import_rows
     JOIN unnest($3::bytea[], $4::int[]) AS given (fingerprint, line) USING (fingerprint, line)
     WHERE api_key_id = $1 AND import_id = $2`,
    claims,
  );
  return { taken: ids, before: counted.parse(known.rows)[0].before - ids.size };
}

export async function insertRowErrors(
  db: Queryable,
  importId: string,
  errors: readonly RowError[],
): Promise<void> {
  if (errors.length === 0) return;
  await db.query(
    `INSERT INTO import_errors (import_id, line, problems)
     SELECT $1, line, problems FROM unnest($2::int[], $3::jsonb[]) AS given (line, problems)`,
    [importId, errors.map(({ line }) => line), errors.map(({ problems }) => JSON.stringify(problems))],
  );
}

const errorRow = z.array(
  z.object({
    line: z.number(),
    problems: z.array(z.object({ pointer: z.string(), detail: z.string() })),
  }),
);

export async function listRowErrors(
  db: Queryable,
  query: { importId: string; after: number; limit: number },
): Promise<readonly RowError[]> {
  const { rows } = await db.query(
    'SELECT line, problems FROM import_errors WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3',
    [query.importId, query.after, query.limit],
  );
  return errorRow.parse(rows);
}
