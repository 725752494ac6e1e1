import type { NewRequest } from '../app/ports.ts';
import type { Clock } from '../domain/deadlines.ts';
import type { Queryable } from './connection.ts';
import { insertDataKeys } from './vault-keys.ts';

type Value = string | number | boolean | Date | Uint8Array | null;

/** Each column of a new request with the type that its values are sent as. */
const COLUMNS: readonly (readonly [column: string, type: string, of: (request: NewRequest) => Value])[] = [
  ['id', 'text', (request) => request.id],
  ['type', 'text', (request) => request.type],
  ['state', 'text', (request) => request.state],
  ['attention', 'text', (request) => request.attention],
  ['held_from', 'text', (request) => request.heldFrom],
  ['held_by', 'text', (request) => request.heldBy],
  ['regulation', 'text', (request) => request.regulation],
  ['channel', 'text', (request) => request.channel],
  ['connection', 'text', (request) => request.connection],
  ['reference', 'text', (request) => request.reference],
  ['subject_kind', 'text', (request) => request.subjectRef.kind],
  ['subject_key_version', 'int', (request) => request.subjectRef.keyVersion],
  ['subject_sealed', 'bytea', (request) => request.subjectSealed],
  ['note_sealed', 'bytea', (request) => request.noteSealed],
  ['submitted_by', 'text', (request) => request.submittedBy],
  ['received_at', 'timestamptz', (request) => request.receivedAt],
  ['created_at', 'timestamptz', (request) => request.createdAt],
  ['identity_required', 'boolean', (request) => request.identityRequired],
  ['approvals_needed', 'int', (request) => request.approvalsNeeded],
  ['cooling_off_ms', 'bigint', (request) => request.coolingOffMs],
  ['cooling_off_until', 'timestamptz', (request) => request.coolingOffUntil],
  ['expected_tasks', 'int', (request) => request.expectedTasks],
  ['due_on', 'date', (request) => request.clock?.dueOn ?? null],
  ['extended_due_on', 'date', (request) => request.clock?.extendedDueOn ?? null],
  ['event_count', 'int', (request) => request.events.length],
];

/** Columns that cannot be sent as they are: arrays of arrays, texts of bytes, and clocks, which many requests share. */
const PLAIN = COLUMNS.map(([column]) => column).join(', ');
const INSERT = `INSERT INTO erasure_requests (${PLAIN}, project_keys, subject_ref, clock)
  SELECT ${PLAIN},
    CASE WHEN keys IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(keys)) END,
    decode(ref_hex, 'hex'),
    ($${COLUMNS.length + 4}::jsonb[])[clock_at]
  FROM unnest(${COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')},
    $${COLUMNS.length + 1}::jsonb[], $${COLUMNS.length + 2}::text[], $${COLUMNS.length + 3}::int[])
    AS given (${PLAIN}, keys, ref_hex, clock_at)`;

/** Inserts requests with their keys, events and pseudonyms, in four statements for any number of them. */
export async function insertRequests(db: Queryable, requests: readonly NewRequest[]): Promise<void> {
  if (requests.length === 0) return;
  const { clocks, places } = distinctClocks(requests);
  await db.query(INSERT, [
    ...COLUMNS.map(([, , of]) => requests.map(of)),
    requests.map(({ projectKeys }) => (projectKeys === null ? null : JSON.stringify(projectKeys))),
    requests.map(({ subjectRef }) => subjectRef.value),
    places,
    clocks,
  ]);
  await insertDataKeys(
    db,
    requests.map(({ dataKey }) => dataKey),
  );
  await insertEvents(db, requests);
  await insertRefs(db, requests);
}

/** Requests of one day have the same clock, which is large: each is sent once. Places count from 1, as SQL does. */
function distinctClocks(requests: readonly NewRequest[]): { clocks: string[]; places: (number | null)[] } {
  const known = new Map<Clock, number>();
  const places = requests.map(({ clock }) => {
    if (clock === null) return null;
    const place = known.get(clock) ?? known.size + 1;
    known.set(clock, place);
    return place;
  });
  return { clocks: [...known.keys()].map((clock) => JSON.stringify(clock)), places };
}

async function insertEvents(db: Queryable, requests: readonly NewRequest[]): Promise<void> {
  const events = requests.flatMap(({ id, events: own }) => own.map((event) => ({ ...event, id })));
  await db.query(
    `INSERT INTO audit_events (request_id, seq, type, bytes)
     SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[])`,
    [
      events.map(({ id }) => id),
      events.map(({ seq }) => seq),
      events.map(({ type }) => type),
      events.map(({ bytes }) => bytes),
    ],
  );
}

async function insertRefs(db: Queryable, requests: readonly NewRequest[]): Promise<void> {
  const refs = requests.flatMap(({ id, refs: own }) => own.map((ref) => ({ ...ref, id })));
  await db.query(
    `INSERT INTO request_subjects (request_id, ref, kind, key_version)
     SELECT request_id, decode(hex, 'hex'), kind, key_version
     FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) AS given (request_id, hex, kind, key_version)`,
    [
      refs.map(({ id }) => id),
      refs.map(({ value }) => value),
      refs.map(({ kind }) => kind),
      refs.map(({ keyVersion }) => keyVersion),
    ],
  );
}
