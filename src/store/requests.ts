import pg from 'pg';
import { z } from 'zod';
import type { DueFilter, RequestFilter, RequestScope } from '../app/ports.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import {
  CHANNELS,
  HOLDERS,
  OUTCOMES,
  REQUEST_ATTENTIONS,
  REQUEST_TYPES,
  SUBJECT_KINDS,
  type ErasureRequest,
} from '../domain/request.ts';
import { REQUEST_STATES } from '../domain/states.ts';
import { clock } from './clock.ts';
import type { Queryable, Rows } from './connection.ts';

const COLUMNS = `id, type, state, attention, outcome, held_from, held_by, regulation, channel, connection, project_keys,
  reference, subject_kind, subject_key_version, encode(subject_ref, 'hex') AS subject_ref, submitted_by, received_at,
  created_at, updated_at, completed_at, closed_at, subject_destroyed_at, cancel_requested_at, identity_required, identity_verified_at, approvals_needed,
  cooling_off_ms::float8 AS cooling_off_ms, cooling_off_until, expected_tasks, clock, extended_at, event_count`;

/** Apart from the columns: under a lock it is read by a statement of its own, which sees what came before the lock. */
const APPROVALS = '(SELECT count(*)::int FROM approvals WHERE request_id = erasure_requests.id) AS approvals';

const columns = z.object({
  id: z.string(),
  type: z.enum(REQUEST_TYPES),
  state: z.enum(REQUEST_STATES),
  attention: z.enum(REQUEST_ATTENTIONS).nullable(),
  outcome: z.enum(OUTCOMES).nullable(),
  held_from: z.enum(REQUEST_STATES).nullable(),
  held_by: z.enum(HOLDERS).nullable(),
  regulation: z.enum(REGULATIONS),
  channel: z.enum(CHANNELS),
  connection: z.string().nullable(),
  project_keys: z.array(z.string()).nullable(),
  reference: z.string().nullable(),
  subject_kind: z.enum(SUBJECT_KINDS),
  subject_key_version: z.number(),
  subject_ref: z.string(),
  submitted_by: z.string(),
  received_at: z.date(),
  created_at: z.date(),
  updated_at: z.date(),
  completed_at: z.date().nullable(),
  closed_at: z.date().nullable(),
  subject_destroyed_at: z.date().nullable(),
  cancel_requested_at: z.date().nullable(),
  identity_required: z.boolean(),
  identity_verified_at: z.date().nullable(),
  approvals_needed: z.literal([0, 1, 2]),
  approvals: z.number(),
  cooling_off_ms: z.number(),
  cooling_off_until: z.date().nullable(),
  expected_tasks: z.number().nullable(),
  clock: clock.nullable(),
  extended_at: z.date().nullable(),
  event_count: z.number(),
});

const row = columns.transform((from): ErasureRequest => ({
  id: from.id,
  type: from.type,
  state: from.state,
  attention: from.attention,
  outcome: from.outcome,
  heldFrom: from.held_from,
  heldBy: from.held_by,
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
  closedAt: from.closed_at,
  subjectDestroyedAt: from.subject_destroyed_at,
  cancelRequestedAt: from.cancel_requested_at,
  identityRequired: from.identity_required,
  identityVerifiedAt: from.identity_verified_at,
  approvalsNeeded: from.approvals_needed,
  approvals: from.approvals,
  coolingOffMs: from.cooling_off_ms,
  coolingOffUntil: from.cooling_off_until,
  expectedTasks: from.expected_tasks,
  clock: from.clock,
  extendedAt: from.extended_at,
  eventCount: from.event_count,
}));

export async function findRequest(db: Queryable, id: string): Promise<ErasureRequest | undefined> {
  const { rows } = await db.query(`SELECT ${COLUMNS}, ${APPROVALS} FROM erasure_requests WHERE id = $1`, [
    id,
  ]);
  return rows.length === 0 ? undefined : row.parse(rows[0]);
}

/** Reads one request with its subject as text of SQL, to stand with other statements in one message. */
export function selectSql(id: string, options: { lock: boolean }): readonly string[] {
  const literal = pg.escapeLiteral(id);
  const lock = options.lock ? 'FOR NO KEY UPDATE' : '';
  return [
    `SELECT ${COLUMNS}, subject_sealed FROM erasure_requests WHERE id = ${literal} ${lock}`,
    `SELECT ${APPROVALS}, EXISTS (
       SELECT FROM request_subjects JOIN holds USING (ref)
       WHERE request_id = erasure_requests.id AND released_at IS NULL
     ) AS standing_hold, (SELECT wrapped FROM data_keys WHERE request_id = erasure_requests.id) AS data_key
     FROM erasure_requests WHERE id = ${literal}`,
  ];
}

/** What selectSql found. */
export function readSelected(
  [first]: Rows,
  [facts]: Rows,
): Omit<RequestScope, 'tasks' | 'usersSealed'> | undefined {
  if (first === undefined) return undefined;
  const { approvals, standingHold, wrapped } = beside.parse(facts);
  const request = row.parse({ ...z.looseObject({}).parse(first), approvals });
  const { id: requestId, subjectDestroyedAt } = request;
  return {
    request,
    dataKey: subjectDestroyedAt === null ? { requestId, wrapped } : null,
    ...sealed.parse(first),
    standingHold,
  };
}

const beside = z
  .object({ approvals: z.number(), standing_hold: z.boolean(), data_key: z.instanceof(Buffer).nullable() })
  .transform(({ approvals, standing_hold: standingHold, data_key: wrapped }) => ({
    approvals,
    standingHold,
    wrapped,
  }));
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
  if (filter.subjectRef !== undefined) {
    values.push(filter.subjectRef);
    conditions.push(
      `id IN (SELECT request_id FROM request_subjects WHERE ref = decode($${values.length}, 'hex'))`,
    );
  }
  values.push(filter.limit);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const { rows } = await db.query(
    `SELECT ${COLUMNS}, ${APPROVALS} FROM erasure_requests ${where} ORDER BY id DESC LIMIT $${values.length}`,
    values,
  );
  return z.array(row).parse(rows);
}

/** The day on which a request is due; as the index erasure_requests_by_due has it. */
const DUE = 'CASE WHEN extended_at IS NULL THEN due_on ELSE extended_due_on END';
const OPEN_TASKS = "('pending', 'submitting', 'submitted', 'verifying')";

/**
 * Open requests by due date: those due by a day, and beyond it those that may take longer than one night, since they
 * cool off for longer, or have more sessions than one round erases.
 */
export async function listOpenByDue(db: Queryable, filter: DueFilter): Promise<readonly ErasureRequest[]> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS}, ${APPROVALS} FROM erasure_requests
     WHERE state NOT IN ('completed', 'refused', 'cancelled')
       AND (${DUE}, id) > ($1::date, $2)
       AND (${DUE} <= $3::date OR cooling_off_until > now() + interval '1 day' OR EXISTS (
         SELECT FROM tasks WHERE request_id = erasure_requests.id AND tasks.state IN ${OPEN_TASKS}
           AND ((verification->>'sessionsFound')::int > $4 OR (rounds->-1->>'sessionsBefore')::int > $4)
       ))
     ORDER BY ${DUE}, id LIMIT $5`,
    [
      filter.after?.dueOn ?? '0001-01-01',
      filter.after?.requestId ?? '',
      filter.until,
      filter.heavySessions,
      filter.limit,
    ],
  );
  return z.array(row).parse(rows);
}
