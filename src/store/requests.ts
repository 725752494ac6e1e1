import { z } from 'zod';
import type { NewRequest, RequestFilter, RequestPatch, Sealed } from '../app/ports.ts';
import { CHANNELS, REGULATIONS, REQUEST_ATTENTIONS, type ErasureRequest } from '../domain/request.ts';
import { REQUEST_STATES, type RequestState } from '../domain/states.ts';
import type { Queryable } from './connection.ts';

const COLUMNS = `id, state, attention, regulation, channel, connection, project_keys, reference, subject_kind,
  subject_key_version, encode(subject_ref, 'hex') AS subject_ref, submitted_by, received_at, created_at, updated_at,
  completed_at, cancel_requested_at, event_count`;

const row = z
  .object({
    id: z.string(),
    state: z.enum(REQUEST_STATES),
    attention: z.enum(REQUEST_ATTENTIONS).nullable(),
    regulation: z.enum(REGULATIONS),
    channel: z.enum(CHANNELS),
    connection: z.string(),
    project_keys: z.array(z.string()).nullable(),
    reference: z.string().nullable(),
    subject_kind: z.literal('user_id'),
    subject_key_version: z.number(),
    subject_ref: z.string(),
    submitted_by: z.string(),
    received_at: z.date(),
    created_at: z.date(),
    updated_at: z.date(),
    completed_at: z.date().nullable(),
    cancel_requested_at: z.date().nullable(),
    event_count: z.number(),
  })
  .transform((from): ErasureRequest => ({
    id: from.id,
    state: from.state,
    attention: from.attention,
    regulation: from.regulation,
    channel: from.channel,
    connection: from.connection,
    projectKeys: from.project_keys,
    reference: from.reference,
    subjectRef: { kind: from.subject_kind, keyVersion: from.subject_key_version, value: from.subject_ref },
    submittedBy: from.submitted_by,
    receivedAt: from.received_at,
    createdAt: from.created_at,
    updatedAt: from.updated_at,
    completedAt: from.completed_at,
    cancelRequestedAt: from.cancel_requested_at,
    eventCount: from.event_count,
  }));

/** Inserts a request without events; insertEvents counts them. */
export async function insertRequest(db: Queryable, request: NewRequest): Promise<void> {
  await db.query(
    `INSERT INTO erasure_requests (id, state, attention, regulation, channel, connection, project_keys, reference,
       subject_kind, subject_key_version, subject_ref, subject_sealed, note_sealed, submitted_by, received_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, decode($11, 'hex'), $12, $13, $14, $15, $16)`,
    [
      request.id,
      request.state,
      request.attention,
      request.regulation,
      request.channel,
      request.connection,
      request.projectKeys,
      request.reference,
      request.subjectRef.kind,
      request.subjectRef.keyVersion,
      request.subjectRef.value,
      request.subjectSealed,
      request.noteSealed,
      request.submittedBy,
      request.receivedAt,
      request.createdAt,
    ],
  );
}

/** The request, locked until the transaction ends. */
export async function lockRequest(db: Queryable, id: string): Promise<ErasureRequest | undefined> {
  return maybeOne(db, { where: 'id = $1 FOR NO KEY UPDATE', values: [id] });
}

export async function findRequest(db: Queryable, id: string): Promise<ErasureRequest | undefined> {
  return maybeOne(db, { where: 'id = $1', values: [id] });
}

async function maybeOne(
  db: Queryable,
  query: { where: string; values: unknown[] },
): Promise<ErasureRequest | undefined> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM erasure_requests WHERE ${query.where}`,
    query.values,
  );
  return rows.length === 0 ? undefined : row.parse(rows[0]);
}

/** Newest first; ids grow with time, so they are the order and the place to go on from. */
export async function listRequests(db: Queryable, filter: RequestFilter): Promise<readonly ErasureRequest[]> {
  const conditions: string[] = [];
  const values: unknown[] = [];
  const add = (condition: string, value: unknown) => {
    values.push(value);
    conditions.push(`${condition} $${values.length}`);
  };
  if (filter.state !== undefined) add('state =', filter.state);
  if (filter.reference !== undefined) add('reference =', filter.reference);
  if (filter.before !== undefined) add('id <', filter.before);
  values.push(filter.limit);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM erasure_requests ${where} ORDER BY id DESC LIMIT $${values.length}`,
    values,
  );
  return z.array(row).parse(rows);
}

/** Changes the request if it is in one of the states `from`; says whether it was. */
export async function updateRequest(
  db: Queryable,
  target: { id: string; from: readonly RequestState[] },
  patch: RequestPatch,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE erasure_requests SET
       state = COALESCE($3, state),
       attention = CASE WHEN $4 THEN $5 ELSE attention END,
       completed_at = COALESCE($6, completed_at),
       cancel_requested_at = COALESCE($7, cancel_requested_at),
       updated_at = now()
     WHERE id = $1 AND state = ANY ($2)`,
    [
      target.id,
      target.from,
      patch.state ?? null,
      patch.attention !== undefined,
      patch.attention ?? null,
      patch.completedAt ?? null,
      patch.cancelRequestedAt ?? null,
    ],
  );
  return rowCount === 1;
}

export async function findSealedSubject(db: Queryable, id: string): Promise<Sealed | undefined> {
  const { rows } = await db.query('SELECT subject_sealed FROM erasure_requests WHERE id = $1', [id]);
  return z.array(z.object({ subject_sealed: z.instanceof(Buffer) })).parse(rows)[0]?.subject_sealed;
}
