import { z } from 'zod';
import type { Change, NewWork, RequestPatch, Transaction } from '../app/ports.ts';
import type { Queryable } from './connection.ts';

type TaskChange = NonNullable<Change['task']>;
type Bind = (value: unknown, type: string) => string;

const COLUMNS_OF_TASK = {
  state: 'text',
  rounds: 'jsonb',
  attention: 'text',
  verification: 'jsonb',
  verifyingSince: 'timestamptz',
  liveSince: 'timestamptz',
} as const satisfies Record<keyof TaskChange['patch'], string>;

const COLUMNS_OF_REQUEST = {
  state: 'text',
  attention: 'text',
  completedAt: 'timestamptz',
  closedAt: 'timestamptz',
  cancelRequestedAt: 'timestamptz',
  outcome: 'text',
  heldFrom: 'text',
  heldBy: 'text',
  identityVerifiedAt: 'timestamptz',
  coolingOffUntil: 'timestamptz',
  expectedTasks: 'int',
  extendedAt: 'timestamptz',
} as const satisfies Record<keyof RequestPatch, string>;

const counts = z.tuple([z.object({ ours: z.number(), task: z.number(), request: z.number() })]);

/**
 * One statement for all that a step changes: the work it was done for, the task, the events, the request. What it
 * writes stands or falls with the lease; see Transaction.write.
 *
 * @throws Error when the task or the request is in none of the states the change starts from
 */
export async function writeChange(
  db: Queryable,
  requestId: string,
  change: Change,
): ReturnType<Transaction['write']> {
  const values: unknown[] = [];
  const parts = partsOf((value, type) => `$${values.push(value)}::${type}`, requestId, change);
  if (parts.size === 0) return true;
  const { rows } = await db.query(
    `WITH ${Array.from(parts, ([name, sql]) => `${name} AS (${sql})`).join(', ')}
     SELECT ${COUNTED.map((name) => (parts.has(name) ? `(SELECT count(*)::int FROM ${name})` : '1') + ` AS ${name}`).join(', ')}`,
    values,
  );
  const [row] = counts.parse(rows);
  if (row.ours === 0) return false;
  if (row.task === 0) throw refusal('task', change.task?.id ?? '', change.task?.patch.state);
  if (row.request === 0) throw refusal('request', requestId, change.request?.patch.state);
  return true;
}

const COUNTED = ['ours', 'task', 'request'] as const;

/** The statement's parts by name; each writes only where `ours` finds the lease. */
function partsOf(bind: Bind, requestId: string, change: Change): ReadonlyMap<string, string> {
  const guard = change.work === undefined ? '' : 'AND EXISTS (SELECT FROM ours)';
  const parts = new Map<string, string>();
  if (change.work !== undefined) parts.set('ours', workSql(bind, change.work));
  if (change.task !== undefined) parts.set('task', taskSql(bind, change.task, guard));
  if (change.begins !== undefined) parts.set('begun', begunSql(bind, change.begins, guard));
  if (change.events.length > 0) parts.set('events', eventsSql(bind, { requestId, change }, guard));
  if (change.events.length > 0 || change.request !== undefined) {
    parts.set('request', requestSql(bind, { requestId, change }, guard));
  }
  return parts;
}

function refusal(what: string, id: string, to: string | undefined): Error {
  return new Error(`${what} ${id} is in no state from which it can ${to ? `go to ${to}` : 'be changed'}`);
}

function workSql(bind: Bind, { lease, next }: NonNullable<Change['work']>): string {
  const ours = `id = ${bind(lease.id, 'bigint')} AND lease = ${bind(lease.lease, 'uuid')}`;
  if (next === 'kept') return `SELECT id FROM work WHERE ${ours} FOR UPDATE`;
  if (next === null) return `DELETE FROM work WHERE ${ours} RETURNING id`;
  return `UPDATE work SET kind = ${bind(next.kind, 'text')}, run_at = ${bind(new Date(next.at), 'timestamptz')},
    reason = ${bind(next.reason, 'text')}, attempts = ${bind(next.attempts, 'int')},
    failing_since = ${bind(next.failingSince === undefined ? null : new Date(next.failingSince), 'timestamptz')}, lease = NULL, held = false
    WHERE ${ours} RETURNING id`;
}

function begunSql(bind: Bind, work: NewWork, guard: string): string {
  const { kind, at, reason, attempts } = work.next;
  const values = [
    bind(work.requestId, 'text'),
    bind(work.taskId, 'text'),
    bind(work.connection, 'text'),
    bind(work.projectKey, 'text'),
    bind(kind, 'text'),
    bind(new Date(at), 'timestamptz'),
    bind(reason, 'text'),
    bind(attempts, 'int'),
  ];
  return `INSERT INTO work (request_id, task_id, connection, project_key, kind, run_at, reason, attempts)
    SELECT ${values.join(', ')} WHERE true ${guard}`;
}

function taskSql(bind: Bind, task: TaskChange, guard: string): string {
  const sets = setsOf(bind, COLUMNS_OF_TASK, task.patch);
  return `UPDATE tasks SET ${[...sets, 'updated_at = now()'].join(', ')}
    WHERE id = ${bind(task.id, 'text')} AND state = ANY (${bind(task.from, 'text[]')}) ${guard} RETURNING id`;
}

function eventsSql(
  bind: Bind,
  { requestId, change }: { requestId: string; change: Change },
  guard: string,
): string {
  const seqs = bind(
    change.events.map((event) => event.seq),
    'int[]',
  );
  const types = bind(
    change.events.map((event) => event.type),
    'text[]',
  );
  const bytes = bind(
    change.events.map((event) => event.bytes),
    'bytea[]',
  );
  return `INSERT INTO audit_events (request_id, seq, type, bytes)
    SELECT ${bind(requestId, 'text')}, * FROM unnest(${seqs}, ${types}, ${bytes}) WHERE true ${guard}`;
}

/** Events are counted on the request, so that the next one's seq follows on. */
function requestSql(
  bind: Bind,
  { requestId, change }: { requestId: string; change: Change },
  guard: string,
): string {
  const { request, events } = change;
  const sets = request === undefined ? [] : setsOf(bind, COLUMNS_OF_REQUEST, request.patch);
  if (events.length > 0) sets.push(`event_count = event_count + ${bind(events.length, 'int')}`);
  const from = request === undefined ? '' : `AND state = ANY (${bind(request.from, 'text[]')})`;
  return `UPDATE erasure_requests SET ${[...sets, 'updated_at = now()'].join(', ')}
    WHERE id = ${bind(requestId, 'text')} ${from} ${guard} RETURNING id`;
}

/** One assignment for each field that the patch has; the columns' names are the fields' in snake case. */
function setsOf(bind: Bind, columns: Readonly<Record<string, string>>, patch: object): string[] {
  const given = new Map<string, unknown>(Object.entries(patch));
  return Object.entries(columns).flatMap(([field, type]) => {
    const value = given.get(field);
    if (value === undefined) return [];
    const column = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return [`${column} = ${bind(type === 'jsonb' && value !== null ? JSON.stringify(value) : value, type)}`];
  });
}
