import { z } from 'zod';
import type { Sealed } from '../app/ports.ts';
import type { Hold, HoldFilter } from '../app/ports/life.ts';
import { SUBJECT_KINDS, type SubjectRef } from '../domain/request.ts';
import type { Queryable } from './connection.ts';

const COLUMNS = `id, encode(ref, 'hex') AS ref, kind, key_version, created_by, created_at, released_by, released_at,
  reason_sealed, release_reason_sealed`;

const row = z
  .object({
    id: z.string(),
    ref: z.string(),
    kind: z.enum(SUBJECT_KINDS),
    key_version: z.number(),
    created_by: z.string(),
    created_at: z.date(),
    released_by: z.string().nullable(),
    released_at: z.date().nullable(),
    reason_sealed: z.instanceof(Buffer),
    release_reason_sealed: z.instanceof(Buffer).nullable(),
  })
  .transform((from): Hold => ({
    id: from.id,
    ref: { kind: from.kind, keyVersion: from.key_version, value: from.ref },
    createdBy: from.created_by,
    createdAt: from.created_at,
    releasedBy: from.released_by,
    releasedAt: from.released_at,
    reasonSealed: from.reason_sealed,
    releaseReasonSealed: from.release_reason_sealed,
  }));

export async function insertHold(
  db: Queryable,
  hold: Hold & { readonly subjectSealed: Sealed },
): Promise<void> {
  await db.query(
    `INSERT INTO holds (id, ref, kind, key_version, subject_sealed, reason_sealed, created_by, created_at)
     VALUES ($1, decode($2, 'hex'), $3, $4, $5, $6, $7, $8)`,
    [
      hold.id,
      hold.ref.value,
      hold.ref.kind,
      hold.ref.keyVersion,
      hold.subjectSealed,
      hold.reasonSealed,
      hold.createdBy,
      hold.createdAt,
    ],
  );
}

const standing = z.array(z.object({ ref: z.string() }));

/** Those of these pseudonyms on which a legal hold stands. */
export async function listStandingRefs(
  db: Queryable,
  refs: readonly SubjectRef[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query(
    `SELECT DISTINCT encode(ref, 'hex') AS ref FROM holds
     WHERE released_at IS NULL AND ref IN (SELECT decode(hex, 'hex') FROM unnest($1::text[]) AS hex)`,
    [refs.map(({ value }) => value)],
  );
  return new Set(standing.parse(rows).map(({ ref }) => ref));
}

export async function lockHold(db: Queryable, id: string): Promise<Hold | undefined> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM holds WHERE id = $1 FOR UPDATE`, [id]);
  return z.array(row).parse(rows)[0];
}

export async function releaseHold(
  db: Queryable,
  release: { id: string; by: string; at: Date; reasonSealed: Sealed },
): Promise<void> {
  await db.query(
    `UPDATE holds SET released_by = $2, released_at = $3, release_reason_sealed = $4
     WHERE id = $1 AND released_at IS NULL`,
    [release.id, release.by, release.at, release.reasonSealed],
  );
}

/** Newest first; ids grow with time. */
export async function listHolds(db: Queryable, filter: HoldFilter): Promise<readonly Hold[]> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM holds
     WHERE ($1::text IS NULL OR id < $1) AND (NOT $2 OR released_at IS NULL)
     ORDER BY id DESC LIMIT $3`,
    [filter.before ?? null, filter.standing, filter.limit],
  );
  return z.array(row).parse(rows);
}
