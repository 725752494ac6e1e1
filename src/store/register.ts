import type pg from 'pg';
import { z } from 'zod';
import type { RegisterEntry, ReportFilter } from '../app/ports/reports.ts';
import { isDay } from '../domain/day.ts';
import { REFUSAL_GROUNDS } from '../domain/policy.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import { CHANNELS, OUTCOMES, REQUEST_TYPES } from '../domain/request.ts';
import { REQUEST_STATES, TASK_STATES } from '../domain/states.ts';
import { TASK_ATTENTIONS } from '../domain/task.ts';
import { throughSnapshot, type Queryable } from './connection.ts';
import { COMPLETED_ON, RECEIVED_IN_PERIOD, RECEIVED_ON, valuesOf } from './report-period.ts';
import { round, verification } from './tasks.ts';

/** Requests read at a time: some hundred kilobytes. */
const PAGE = 500;

/** While it is read, what the rest of the service leaves behind cannot be cleaned up. */
const LONGEST_MS = 3_600_000;

/** The register, in pages of one snapshot. */
export function readRegister(
  pool: pg.Pool,
  filter: ReportFilter,
): AsyncGenerator<readonly RegisterEntry[], void, undefined> {
  return throughSnapshot(pool, (db) => pages(db, filter));
}

async function* pages(
  db: Queryable,
  filter: ReportFilter,
): AsyncGenerator<readonly RegisterEntry[], void, undefined> {
  const endsAt = performance.now() + LONGEST_MS;
  for (let after: Place | undefined = FIRST; after !== undefined;) {
    if (performance.now() > endsAt) throw new Error('the register was read for longer than an hour');
    const found: readonly Found[] = await readPage(db, filter, after);
    if (found.length > 0) yield found.map(({ entry }) => entry);
    after = found.length < PAGE ? undefined : found.at(-1)?.place;
  }
}

/** The time of receipt as Postgres writes it: a Date would lose microseconds, and with them a place. */
interface Place {
  readonly receivedAt: string;
  readonly id: string;
}
const FIRST: Place = { receivedAt: '-infinity', id: '' };

interface Found {
  readonly place: Place;
  readonly entry: RegisterEntry;
}

const CLOSING = "('request.completed', 'request.refused', 'request.cancelled')";

/** The page first, so that everything else is looked up for its requests alone, each by an index. */
const SQL = `
  WITH page AS (
    SELECT *, ${RECEIVED_ON} AS received_on, ${COMPLETED_ON} AS completed_on FROM erasure_requests
    WHERE ${RECEIVED_IN_PERIOD} AND (received_at, id) > ($6::timestamptz, $7)
    ORDER BY received_at, id LIMIT $8
  )
  SELECT page.id, type, state, outcome, regulation, channel, reference, received_at, received_at::text AS place,
    identity_verified_at, extended_at, completed_at, encode(subject_ref, 'hex') AS subject_ref, subject_key_version,
    due_on::text, extended_due_on::text, completed_on - received_on AS days_to_complete,
    decided.*, leaf.leaf_index,
    ARRAY(
      SELECT approved_by FROM approvals WHERE request_id = page.id ORDER BY approved_at, approved_by
    ) AS approvers,
    (
      SELECT COALESCE(jsonb_agg(jsonb_build_object('connection', connection, 'projectKey', project_key, 'state', state,
        'attention', attention, 'rounds', rounds, 'verification', verification) ORDER BY id), '[]')
      FROM tasks WHERE request_id = page.id
    ) AS tasks,
    (
      SELECT COALESCE(jsonb_agg(jsonb_build_object('at', body->>'at', 'begins', body->'change'->>'to' = 'on_hold')
        ORDER BY seq), '[]')
      FROM (
        SELECT seq, convert_from(bytes, 'UTF8')::jsonb AS body FROM audit_events
        WHERE request_id = page.id AND type LIKE 'request.%'
          AND EXISTS (SELECT FROM audit_events WHERE request_id = page.id AND type = 'request.on_hold')
      ) AS event
      WHERE 'on_hold' IN (body->'change'->>'to', body->'change'->>'from')
    ) AS holds,
    (SELECT size FROM checkpoints WHERE size > leaf.leaf_index ORDER BY size LIMIT 1) AS checkpoint_size
  FROM page
  CROSS JOIN LATERAL (
    SELECT max(ground) FILTER (WHERE kind = 'identity_verified') AS identity_method,
      max(ground) FILTER (WHERE kind = 'refused') AS refusal_ground
    FROM decisions WHERE request_id = page.id
  ) AS decided
  LEFT JOIN LATERAL (
    SELECT seq FROM audit_events WHERE request_id = page.id AND audit_events.type IN ${CLOSING} ORDER BY seq LIMIT 1
  ) AS closing ON true
  LEFT JOIN LATERAL (
    SELECT first_leaf + LEAST(last_seq, closing.seq) - first_seq AS leaf_index FROM sealed_events
    WHERE request_id = page.id AND first_seq <= COALESCE(closing.seq, first_seq) ORDER BY first_seq DESC LIMIT 1
  ) AS leaf ON true
  ORDER BY received_at, page.id`;

async function readPage(db: Queryable, filter: ReportFilter, after: Place): Promise<readonly Found[]> {
  const { rows } = await db.query(SQL, [...valuesOf(filter), after.receivedAt, after.id, PAGE]);
  return z.array(row).parse(rows);
}

const day = z.string().refine(isDay).nullable();

const task = z.object({
  connection: z.string(),
  projectKey: z.string().nullable(),
  state: z.enum(TASK_STATES),
  attention: z.enum(TASK_ATTENTIONS).nullable(),
  rounds: z.array(round),
  verification: verification.nullable(),
});

const row = z
  .object({
    id: z.string(),
    type: z.enum(REQUEST_TYPES),
    state: z.enum(REQUEST_STATES),
    outcome: z.enum(OUTCOMES).nullable(),
    regulation: z.enum(REGULATIONS),
    channel: z.enum(CHANNELS),
    reference: z.string().nullable(),
    received_at: z.date(),
    place: z.string(),
    identity_verified_at: z.date().nullable(),
    extended_at: z.date().nullable(),
    completed_at: z.date().nullable(),
    subject_ref: z.string(),
    subject_key_version: z.number(),
    due_on: day,
    extended_due_on: day,
    days_to_complete: z.number().nullable(),
    identity_method: z.string().nullable(),
    refusal_ground: z.enum(REFUSAL_GROUNDS).nullable(),
    approvers: z.array(z.string()),
    holds: z.array(z.object({ at: z.string(), begins: z.boolean() })),
    tasks: z.array(task),
    leaf_index: z.coerce.number().nullable(),
    checkpoint_size: z.coerce.number().nullable(),
  })
  .transform((from): Found => ({
    place: { receivedAt: from.place, id: from.id },
    entry: {
      request: {
        id: from.id,
        type: from.type,
        state: from.state,
        outcome: from.outcome,
        regulation: from.regulation,
        channel: from.channel,
        reference: from.reference,
        receivedAt: from.received_at,
        identityVerifiedAt: from.identity_verified_at,
        extendedAt: from.extended_at,
        completedAt: from.completed_at,
      },
      subject: { ref: from.subject_ref, keyVersion: from.subject_key_version },
      dueOn: from.due_on,
      extendedDueOn: from.extended_due_on,
      identityMethod: from.identity_method,
      refusalGround: from.refusal_ground,
      approvers: from.approvers,
      holds: from.holds,
      tasks: from.tasks,
      daysToComplete: from.days_to_complete,
      leafIndex: from.leaf_index,
      checkpointSize: from.checkpoint_size,
    },
  }));
