import { z } from 'zod';
import type {
  Import,
  ImportFilter,
  ImportLease,
  ImportTransaction,
  NewImport,
  OpenedImport,
} from '../app/ports/imports.ts';
import {
  IMPORT_FORMATS,
  IMPORT_SILENCE_SECONDS,
  IMPORT_STATES,
  type ImportCounts,
} from '../domain/imports.ts';
import type { Queryable } from './connection.ts';

/** Whoever receives writes every few seconds; one that fell silent was killed, and could not say so. */
const STATE = `CASE WHEN state = 'receiving' AND updated_at < now() - interval '${IMPORT_SILENCE_SECONDS} seconds'
  THEN 'interrupted' ELSE state END AS state`;
const COLUMNS = `id, format, ${STATE}, api_key_id, rows, accepted, repeated, rejected, failure, created_at, updated_at`;

const row = z
  .object({
    id: z.string(),
    format: z.enum(IMPORT_FORMATS),
    state: z.enum(IMPORT_STATES),
    api_key_id: z.string(),
    rows: z.number(),
    accepted: z.number(),
    repeated: z.number(),
    rejected: z.number(),
    failure: z.object({ code: z.string(), detail: z.string(), line: z.number().nullable() }).nullable(),
    created_at: z.date(),
    updated_at: z.date(),
  })
  .transform(({ api_key_id: submittedBy, created_at: createdAt, updated_at: updatedAt, ...rest }): Import => {
    return { ...rest, submittedBy, createdAt, updatedAt };
  });

const opened = z.tuple([
  z.object({ id: z.string(), run: z.number(), fingerprint: z.instanceof(Buffer).nullable() }),
]);

/** Waits for another transaction that opens an import under the same key. */
export async function openImport(db: Queryable, wish: NewImport): Promise<OpenedImport> {
  const { id, apiKeyId, idempotencyKey, format } = wish;
  const { rows } = await db.query(
    `INSERT INTO imports (id, api_key_id, idempotency_key, format, state) VALUES ($1, $2, $3, $4, 'receiving')
     ON CONFLICT (api_key_id, idempotency_key) DO UPDATE SET run = imports.run + 1
     RETURNING id, run, fingerprint`,
    [id, apiKeyId, idempotencyKey, format],
  );
  const [found] = opened.parse(rows);
  const lease: ImportLease = { importId: found.id, apiKeyId, run: found.run };
  if (found.fingerprint !== null) return { lease, fingerprint: found.fingerprint };
  if (found.run > 1) await beginAnew(db, found.id, format);
  return { lease, fingerprint: null };
}

/** What was taken in stays, and is counted again when it comes again. */
async function beginAnew(db: Queryable, id: string, format: string): Promise<void> {
  await db.query('DELETE FROM import_errors WHERE import_id = $1', [id]);
  await db.query(
    `UPDATE imports SET state = 'receiving', format = $2, rows = 0, accepted = 0, repeated = 0, rejected = 0,
       failure = NULL, updated_at = now()
     WHERE id = $1`,
    [id, format],
  );
}

export async function countRows(db: Queryable, lease: ImportLease, counts: ImportCounts): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE imports SET rows = rows + $3, accepted = accepted + $4, repeated = repeated + $5, rejected = rejected + $6,
       updated_at = now()
     WHERE id = $1 AND run = $2 AND state = 'receiving'`,
    [lease.importId, lease.run, counts.rows, counts.accepted, counts.repeated, counts.rejected],
  );
  return rowCount === 1;
}

type End = Parameters<ImportTransaction['endImport']>[1];

export async function endImport(db: Queryable, lease: ImportLease, end: End): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE imports SET state = $3, failure = $4, fingerprint = $5, updated_at = now()
     WHERE id = $1 AND run = $2 AND state = 'receiving'`,
    [
      lease.importId,
      lease.run,
      end.state,
      end.state === 'failed' ? JSON.stringify(end.failure) : null,
      end.state === 'completed' ? end.fingerprint : null,
    ],
  );
  return rowCount === 1;
}

export async function findImport(db: Queryable, id: string): Promise<Import | undefined> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM imports WHERE id = $1`, [id]);
  return z.array(row).parse(rows)[0];
}

/** Newest first; ids grow with time. */
export async function listImports(db: Queryable, filter: ImportFilter): Promise<readonly Import[]> {
  const { named, before = null, limit } = filter;
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM imports
     WHERE ($1::text IS NULL OR (api_key_id = $1 AND idempotency_key = $2)) AND ($3::text IS NULL OR id < $3)
     ORDER BY id DESC LIMIT $4`,
    [named?.apiKeyId ?? null, named?.idempotencyKey ?? null, before, limit],
  );
  return z.array(row).parse(rows);
}
