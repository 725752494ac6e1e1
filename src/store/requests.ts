import pg from 'pg';
import { z } from 'zod';
import type { NewRequest, RequestFilter, Sealed } from '../app/ports.ts';
import { CHANNELS, REGULATIONS, REQUEST_ATTENTIONS, type ErasureRequest } from '../domain/request.ts';
import { REQUEST_STATES } from '../domain/states.ts';
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

/** Inserts a request without events; writeChange adds and counts them. */
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

export async function findRequest(db: Queryable, id: string): Promise<ErasureRequest | undefined> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM erasure_requests WHERE id = $1`, [id]);
  return rows.length === 0 ? undefined : row.parse(rows[0]);
}

/** Reads one request with its subject as text of SQL, to stand with other statements in one message. */
export function selectSql(id: string, options: { lock: boolean }): string {
  const lock = options.lock ? 'FOR NO KEY UPDATE' : '';
  return `SELECT ${COLUMNS}, subject_sealed FROM erasure_requests WHERE id = ${pg.escapeLiteral(id)} ${lock}`;
}

/** What selectSql found. */
export function readSelected(
  rows: readonly unknown[],
): { request: ErasureRequest; subjectSealed: Sealed | null } | undefined {
  const [first] = rows;
  return first === undefined ? undefined : { request: row.parse(first), ...sealed.parse(first) };
}

const sealed = z
  .object({ subject_sealed: z.instanceof(Buffer).nullable() })
  .transform((from) => ({ subjectSealed: from.subject_sealed }));

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
