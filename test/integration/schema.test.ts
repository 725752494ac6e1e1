import { CLOSING_REASONS } from '../../src/domain/connection-mood.ts';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import {
  ATTEMPT_OUTCOMES,
  CALLBACK_EVENTS,
  CALLBACK_STATES,
  DELIVERY_STATES as SENT_STATES,
} from '../../src/domain/callback.ts';
import { dumpSchema } from '../../db/dump-schema.ts';
import { migrate } from '../../db/migrate.ts';
import { SCOPES } from '../../src/app/authenticate.ts';
import { UNROUTABLE_REASONS } from '../../src/domain/identifiers.ts';
import { DELIVERY_OUTCOMES, DELIVERY_STATES } from '../../src/app/ports/intake.ts';
import { IMPORT_FORMATS, IMPORT_STATES } from '../../src/domain/imports.ts';
import { DECISION_KINDS } from '../../src/domain/policy.ts';
import { REGULATIONS } from '../../src/domain/regulation.ts';
import { PACKAGE_FILES, PACKAGE_STATES } from '../../src/domain/access-package.ts';
import {
  CHANNELS,
  HOLDERS,
  OUTCOMES,
  REQUEST_ATTENTIONS,
  REQUEST_TYPES,
  SUBJECT_KINDS,
} from '../../src/domain/request.ts';
import { REQUEST_STATES, STUCK_TASK_STATES, TASK_STATES } from '../../src/domain/states.ts';
import { TASK_ATTENTIONS } from '../../src/domain/task.ts';
import { WAIT_REASONS, WORK_KINDS } from '../../src/domain/work.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const SCHEMA_FILE = path.join(import.meta.dirname, '..', '..', 'db', 'schema.sql');

/** Each column whose words the domain knows. */
const WORDS: readonly { table: Table; column: string; words: readonly string[] }[] = [
  { table: 'erasure_requests', column: 'type', words: REQUEST_TYPES },
  { table: 'access_packages', column: 'state', words: PACKAGE_STATES },
  { table: 'package_parts', column: 'file', words: PACKAGE_FILES },
  { table: 'erasure_requests', column: 'state', words: REQUEST_STATES },
  { table: 'erasure_requests', column: 'attention', words: REQUEST_ATTENTIONS },
  { table: 'erasure_requests', column: 'regulation', words: REGULATIONS },
  { table: 'erasure_requests', column: 'channel', words: CHANNELS },
  { table: 'erasure_requests', column: 'subject_kind', words: SUBJECT_KINDS },
  { table: 'erasure_requests', column: 'outcome', words: OUTCOMES },
  { table: 'erasure_requests', column: 'held_by', words: HOLDERS },
  { table: 'decisions', column: 'kind', words: DECISION_KINDS },
  { table: 'holds', column: 'kind', words: SUBJECT_KINDS },
  { table: 'request_subjects', column: 'kind', words: SUBJECT_KINDS },
  { table: 'tasks', column: 'state', words: TASK_STATES },
  { table: 'tasks', column: 'attention', words: TASK_ATTENTIONS },
  { table: 'tasks', column: 'unroutable_reason', words: UNROUTABLE_REASONS },
  { table: 'work', column: 'kind', words: WORK_KINDS },
  { table: 'work', column: 'reason', words: WAIT_REASONS },
  { table: 'api_keys', column: 'scopes', words: SCOPES },
  { table: 'connection_states', column: 'shut_reason', words: CLOSING_REASONS },
  { table: 'imports', column: 'format', words: IMPORT_FORMATS },
  { table: 'imports', column: 'state', words: IMPORT_STATES },
  { table: 'webhook_deliveries', column: 'state', words: DELIVERY_STATES },
  { table: 'webhook_counts', column: 'outcome', words: DELIVERY_OUTCOMES },
  { table: 'callbacks', column: 'events', words: CALLBACK_EVENTS },
  { table: 'callbacks', column: 'state', words: CALLBACK_STATES },
  { table: 'deliveries', column: 'state', words: SENT_STATES },
  { table: 'delivery_attempts', column: 'outcome', words: ATTEMPT_OUTCOMES },
];

type Table =
  | 'api_keys'
  | 'connection_states'
  | 'erasure_requests'
  | 'tasks'
  | 'work'
  | 'audit_events'
  | 'decisions'
  | 'holds'
  | 'request_subjects'
  | 'access_packages'
  | 'package_tasks'
  | 'package_parts'
  | 'imports'
  | 'import_rows'
  | 'webhook_deliveries'
  | 'webhook_counts'
  | 'tickets'
  | 'callbacks'
  | 'deliveries'
  | 'delivery_attempts';
type Row = Readonly<Record<string, unknown>>;
const NOW = new Date('2026-03-05T12:00:00Z');

/** A row of each table that stands there already, so that others can refer to it. */
const ROWS: Readonly<Record<Table, Row>> = {
  connection_states: { name: 'default', shut_reason: 'server_error', shut_until: NOW },
  api_keys: { id: 'ak_1', name: 'test', token_hash: Buffer.alloc(32, 1), scopes: ['admin'] },
  erasure_requests: {
    id: 'er_1',
    state: 'erasing',
    regulation: 'gdpr',
    channel: 'api',
    connection: 'default',
    subject_kind: 'user_id',
    subject_key_version: 1,
    subject_ref: Buffer.alloc(32),
    subject_sealed: Buffer.alloc(40),
    submitted_by: 'ak_1',
    received_at: NOW,
    created_at: NOW,
  },
  tasks: { id: 'tk_1', request_id: 'er_1', connection: 'default', project_key: 'projectA', state: 'pending' },
  work: {
    request_id: 'er_1',
    task_id: 'tk_1',
    connection: 'default',
    project_key: 'projectA',
    kind: 'submit',
    run_at: NOW,
    reason: 'queued',
  },
  audit_events: { request_id: 'er_1', seq: 0, type: 'request.received', bytes: Buffer.from('{}') },
  decisions: { request_id: 'er_1', kind: 'held', decided_by: 'ak_1', decided_at: NOW },
  holds: {
    id: 'hd_1',
    ref: Buffer.alloc(32),
    kind: 'user_id',
    key_version: 1,
    subject_sealed: Buffer.alloc(40),
    reason_sealed: Buffer.alloc(40),
    created_by: 'ak_1',
    created_at: NOW,
  },
  request_subjects: { request_id: 'er_1', ref: Buffer.alloc(32), kind: 'user_id', key_version: 1 },
  access_packages: { request_id: 'er_1', state: 'gathering', created_at: NOW },
  package_tasks: { task_id: 'tk_1', request_id: 'er_1' },
  package_parts: { request_id: 'er_1', task_id: 'tk_1', file: 'user', seq: 0, sealed: Buffer.alloc(40) },
  imports: { id: 'im_1', api_key_id: 'ak_1', format: 'csv', state: 'receiving' },
  import_rows: {
    api_key_id: 'ak_1',
    fingerprint: Buffer.alloc(32),
    import_id: 'im_1',
    line: 2,
    request_id: 'er_1',
  },
  webhook_deliveries: {
    id: 'wd_1',
    source: 'support',
    body_sealed: Buffer.alloc(40),
    key_wrapped: Buffer.alloc(69),
  },
  webhook_counts: { source: 'support', day: '2026-03-05', outcome: 'accepted', count: 1 },
  tickets: {
    source: 'support',
    reference: 'T-1',
    request_id: 'er_1',
    marks: {},
    last_body: Buffer.alloc(32),
  },
  callbacks: {
    id: 'cb_1',
    name: 'intranet',
    url_sealed: Buffer.alloc(40),
    secret_sealed: Buffer.alloc(40),
    events: ['request.completed'],
    created_by: 'ak_1',
    created_at: NOW,
  },
  deliveries: { id: 'dl_1', callback_id: 'cb_1', type: 'callback.test', run_at: NOW },
  delivery_attempts: { delivery_id: 'dl_1', outcome: 'delivered', duration_ms: 1 },
};
/** What makes a row of the table another one. */
const ANOTHER: Readonly<Record<Table, Row>> = {
  api_keys: { id: 'ak_2', token_hash: Buffer.alloc(32, 2) },
  erasure_requests: { id: 'er_2' },
  tasks: { id: 'tk_2', project_key: 'projectB' },
  work: { task_id: null },
  connection_states: { name: 'other' },
  audit_events: { seq: 1 },
  decisions: {},
  holds: { id: 'hd_2' },
  request_subjects: { ref: Buffer.alloc(32, 1) },
  access_packages: { request_id: 'er_other' },
  package_tasks: {},
  package_parts: { seq: 1 },
  imports: { id: 'im_2' },
  import_rows: { fingerprint: Buffer.alloc(32, 1) },
  webhook_deliveries: { id: 'wd_2' },
  webhook_counts: { source: 'legal' },
  tickets: { reference: 'T-2', request_id: 'er_other' },
  callbacks: { id: 'cb_2' },
  deliveries: { id: 'dl_2' },
  delivery_attempts: {},
};
/** What must go with some words: who needs a person says why, and what is completed says when. */
const COMPANIONS: Readonly<Record<string, Row>> = {
  'webhook_deliveries.state.unmappable': { problems: '[]', judged_at: NOW },
  'work.kind.judge': { request_id: null, task_id: null, delivery_id: 'wd_1' },
  'imports.state.completed': { fingerprint: Buffer.alloc(32) },
  'callbacks.state.disabled': { ended_at: NOW },
  'callbacks.state.gone': { ended_at: NOW },
  'deliveries.state.delivered': { run_at: null, settled_at: NOW },
  'deliveries.state.failed': { run_at: null, settled_at: NOW },
  'imports.state.failed': { failure: {} },
  'erasure_requests.type.access': { state: 'gathering' },
  'access_packages.state.ready': { ready_at: NOW, expires_at: NOW, manifest_sealed: Buffer.alloc(40) },
  'access_packages.state.downloaded': { downloaded_at: NOW },
  'erasure_requests.state.needs_attention': { attention: 'no_projects' },
  'erasure_requests.state.completed': { completed_at: NOW, closed_at: NOW, outcome: 'erased' },
  'erasure_requests.state.refused': { closed_at: NOW },
  'erasure_requests.state.cancelled': { closed_at: NOW },
  'erasure_requests.state.on_hold': { held_from: 'erasing', held_by: 'person' },
  ...Object.fromEntries(
    OUTCOMES.map((word) => [
      `erasure_requests.outcome.${word}`,
      { state: 'completed', completed_at: NOW, closed_at: NOW },
    ]),
  ),
  ...Object.fromEntries(
    HOLDERS.map((word) => [`erasure_requests.held_by.${word}`, { state: 'on_hold', held_from: 'erasing' }]),
  ),
  ...Object.fromEntries(
    REQUEST_ATTENTIONS.map((word) => [`erasure_requests.attention.${word}`, { state: 'needs_attention' }]),
  ),
  ...Object.fromEntries(
    STUCK_TASK_STATES.map((word) => [`tasks.state.${word}`, { attention: 'residue_user' }]),
  ),
  ...Object.fromEntries(TASK_ATTENTIONS.map((word) => [`tasks.attention.${word}`, { state: 'residue' }])),
};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  for (const table of [
    'api_keys',
    'erasure_requests',
    'tasks',
    'work',
    'audit_events',
    'decisions',
    'holds',
    'request_subjects',
    'access_packages',
    'package_tasks',
    'package_parts',
    'imports',
    'import_rows',
    'webhook_deliveries',
    'webhook_counts',
    'tickets',
    'callbacks',
    'deliveries',
    'delivery_attempts',
  ] as const)
    await insert(database.pool, table, ROWS[table]);
  await insert(database.pool, 'erasure_requests', { ...ROWS.erasure_requests, id: 'er_other' });
});
afterAll(() => database.drop());

async function insert(db: Pick<pg.Pool, 'query'>, table: Table, row: Row): Promise<void> {
  const columns = Object.keys(row);
  const places = columns.map((_column, index) => `$${index + 1}`);
  await db.query(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places.join(', ')})`,
    Object.values(row),
  );
}

/** What Postgres says to another row of the table with these changes: undefined when it takes it. Nothing stays. */
async function refusalOf(
  table: Table,
  changes: Row,
): Promise<Pick<pg.DatabaseError, 'code' | 'constraint'> | undefined> {
  const client = await database.pool.connect();
  try {
    await client.query('BEGIN');
    await insert(client, table, { ...ROWS[table], ...ANOTHER[table], ...changes });
    return undefined;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    return { code: error.code, constraint: error.constraint };
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

/** The one CHECK of this column alone that lists words, and its words. */
async function checkOf(table: Table, column: string): Promise<{ name: string; words: string[] }> {
  const { rows } = await database.pool.query(
    `SELECT conname AS name, pg_get_constraintdef(c.oid) AS definition
     FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND conkey = ARRAY[a.attnum]
     WHERE conrelid = $1::regclass AND attname = $2 AND contype = 'c' AND convalidated`,
    [table, column],
  );
  const [check, ...more] = z.array(z.object({ name: z.string(), definition: z.string() })).parse(rows);
  if (check === undefined || more.length > 0) throw new Error(`${table}.${column} has not exactly one CHECK`);
  const words = Array.from(check.definition.matchAll(/'([^']*)'/g), ([, word = '']) => word);
  return { name: check.name, words };
}

describe.each(WORDS)('$table: $column', ({ table, column, words }) => {
  const rowWith = (word: string): Row => ({
    [column]: column === 'scopes' || column === 'events' ? [word] : word,
    ...COMPANIONS[`${table}.${column}.${word}`],
  });

  it('lists in SQL exactly the words of the domain', async () => {
    expect((await checkOf(table, column)).words.toSorted()).toEqual(words.toSorted());
  });

  it('takes each of them', async () => {
    for (const word of words)
      expect({ word, refusal: await refusalOf(table, rowWith(word)) }).toEqual({ word });
  });

  it('refuses any other word', async () => {
    const { name } = await checkOf(table, column);
    const companion = column === 'attention' ? COMPANIONS[`${table}.attention.${words[0] ?? ''}`] : {};
    for (const word of ['unheard_of', '', ...words.slice(0, 1).map((known) => known.toUpperCase())]) {
      const refusal = await refusalOf(table, { ...rowWith(word), ...companion });
      expect({ word, ...refusal }).toEqual({ word, code: '23514', constraint: name });
    }
  });
});

it('no other column lists words in SQL that the domain would have to know', async () => {
  const { rows } = await database.pool.query(
    `SELECT format('%s.%s', conrelid::regclass, attname) AS column
     FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND conkey = ARRAY[a.attnum]
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND pg_get_constraintdef(c.oid) LIKE '%''%'`,
  );
  const listed = z.array(z.object({ column: z.string() })).parse(rows);
  expect(listed.map(({ column }) => column).toSorted()).toEqual(
    WORDS.map(({ table, column }) => `${table}.${column}`).toSorted(),
  );
});

describe('a row', () => {
  it('of an approval is never by the submitter', async () => {
    const approve = (by: string, submitter: string) =>
      database.pool.query(
        'INSERT INTO approvals (request_id, approved_by, submitted_by, approved_at) VALUES ($1, $2, $3, now())',
        ['er_1', by, submitter],
      );
    await insert(database.pool, 'api_keys', {
      ...ROWS.api_keys,
      id: 'ak_3',
      token_hash: Buffer.alloc(32, 3),
    });
    await expect(approve('ak_1', 'ak_1')).rejects.toMatchObject({ constraint: 'approvals_by_others' });
    // Nor by naming somebody else as the submitter.
    await expect(approve('ak_1', 'ak_3')).rejects.toMatchObject({ code: '23503' });
    await expect(approve('ak_3', 'ak_1')).resolves.toMatchObject({ rowCount: 1 });
  });

  it('of a request says why a person is needed, how it ended and who holds it, each exactly when it is so', async () => {
    for (const state of REQUEST_STATES) {
      const closed = ['completed', 'refused', 'cancelled'].includes(state) ? { closed_at: NOW } : {};
      const takes = async (row: Row) =>
        (await refusalOf('erasure_requests', { state, ...closed, ...row })) === undefined;
      const attention = 'no_projects';
      const completed = { completed_at: NOW, outcome: 'erased' };
      const held = { held_from: 'erasing', held_by: 'person' };
      expect([state, await takes({ attention })]).toEqual([state, state === 'needs_attention']);
      expect([state, await takes(completed)]).toEqual([state, state === 'completed']);
      expect([state, await takes({ completed_at: NOW })]).toEqual([state, false]);
      expect([state, await takes(held)]).toEqual([state, state === 'on_hold']);
      expect([state, await takes({ ...held, attention })]).toEqual([state, state === 'on_hold']);
      const plain = !['needs_attention', 'completed', 'on_hold'].includes(state);
      expect([state, await takes({})]).toEqual([state, plain]);
    }
  });

  it('of a request says when it was closed exactly when it is, and only then loses its subject, whole', async () => {
    const done = { completed_at: NOW, outcome: 'erased' };
    const takes = async (row: Row) => (await refusalOf('erasure_requests', row)) === undefined;
    for (const state of ['completed', 'refused', 'cancelled'] as const) {
      const closed = { state, closed_at: NOW, ...(state === 'completed' && done) };
      const gone = { ...closed, subject_sealed: null, subject_destroyed_at: NOW };
      expect([state, await takes(closed), await takes({ ...closed, closed_at: null })]).toEqual([
        state,
        true,
        false,
      ]);
      expect([state, await takes(gone)]).toEqual([state, true]);
      expect(await takes({ ...gone, note_sealed: Buffer.alloc(40) })).toBe(false);
      expect(await takes({ ...gone, subject_destroyed_at: null })).toBe(false);
      expect(await takes({ ...gone, subject_sealed: Buffer.alloc(40) })).toBe(false);
    }
    expect(await takes({ state: 'erasing', closed_at: NOW })).toBe(false);
    expect(await takes({ state: 'erasing', subject_sealed: null, subject_destroyed_at: NOW })).toBe(false);
  });

  it('of work is one for each task and one for the request; beside them there is one that destroys', async () => {
    const takes = async (row: Row) => (await refusalOf('work', row)) === undefined;
    expect(await takes({ task_id: 'tk_1' })).toBe(false);
    expect(await takes({ task_id: null })).toBe(true);
    expect(await takes({ task_id: 'tk_1', kind: 'destroy' })).toBe(true);
  });

  it('of who asks for access alone is never about to be erased', async () => {
    const takes = async (row: Row) =>
      (await refusalOf('erasure_requests', { type: 'access', ...row })) === undefined;
    expect(await takes({ state: 'gathering' })).toBe(true);
    expect(await takes({ state: 'erasing' })).toBe(false);
    expect(await takes({ state: 'on_hold', held_from: 'erasing', held_by: 'person' })).toBe(false);
    const completed = { state: 'completed', completed_at: NOW, closed_at: NOW };
    expect(await takes({ ...completed, outcome: 'erased' })).toBe(false);
    expect(await takes({ ...completed, outcome: 'access_provided' })).toBe(true);
  });

  it('of a task says why exactly when it is stuck', async () => {
    const stuck: readonly string[] = STUCK_TASK_STATES;
    for (const state of TASK_STATES) {
      const takes = async (row: Row) => (await refusalOf('tasks', { state, ...row })) === undefined;
      expect([state, await takes({ attention: 'unsendable' })]).toEqual([state, stuck.includes(state)]);
      expect([state, await takes({})]).toEqual([state, !stuck.includes(state)]);
    }
  });

  it('of a task names its project, unless the id cannot be sent anywhere', async () => {
    await expect(refusalOf('tasks', { project_key: null })).resolves.toMatchObject({ code: '23514' });
    await expect(
      refusalOf('tasks', { project_key: null, unroutable_reason: 'slash' }),
    ).resolves.toBeUndefined();
    await expect(refusalOf('tasks', { project_key: 'projectA' })).resolves.toMatchObject({ code: '23505' });
  });

  it('of a request names an API key that there is', async () => {
    await expect(refusalOf('erasure_requests', { submitted_by: 'ak_nobody' })).resolves.toEqual({
      code: '23503',
      constraint: 'erasure_requests_submitted_by_fkey',
    });
    await expect(refusalOf('erasure_requests', { submitted_by: null })).resolves.toEqual({ code: '23502' });
    await expect(database.pool.query("DELETE FROM api_keys WHERE id = 'ak_1'")).rejects.toMatchObject({
      code: '23503',
    });
  });

  it('of an import counts every row once, and has an end only where it ended', async () => {
    const takes = async (row: Row) => (await refusalOf('imports', row)) === undefined;
    expect(await takes({ rows: 3, accepted: 1, repeated: 1, rejected: 1 })).toBe(true);
    expect(await takes({ rows: 3, accepted: 1, repeated: 1, rejected: 0 })).toBe(false);
    expect(await takes({ fingerprint: Buffer.alloc(32) })).toBe(false);
    expect(await takes({ state: 'completed' })).toBe(false);
    expect(await takes({ failure: {} })).toBe(false);
  });

  it('of a file is made a request of once for each API key', async () => {
    await expect(refusalOf('import_rows', { fingerprint: Buffer.alloc(32) })).resolves.toMatchObject({
      code: '23505',
    });
    await expect(refusalOf('import_rows', { fingerprint: Buffer.alloc(31) })).resolves.toMatchObject({
      code: '23514',
    });
  });

  it('of work is the only one of its task, or of its request itself', async () => {
    const unique = { code: '23505', constraint: 'work_one_of_each' };
    await expect(refusalOf('work', { task_id: 'tk_1', kind: 'poll' })).resolves.toEqual(unique);
    await expect(refusalOf('work', { task_id: null })).resolves.toBeUndefined();
    await insert(database.pool, 'work', { ...ROWS.work, task_id: null, kind: 'discover' });
    await expect(refusalOf('work', { task_id: null })).resolves.toEqual(unique);
    await database.pool.query('DELETE FROM work WHERE task_id IS NULL');
  });

  it('of a ticket has one request, and the request one ticket', async () => {
    const takes = async (row: Row) => (await refusalOf('tickets', row)) === undefined;
    expect(await takes({})).toBe(true);
    expect(await takes({ reference: 'T-1' })).toBe(false);
    expect(await takes({ request_id: 'er_1' })).toBe(false);
  });

  it('of work concerns a request or judges a delivery, and one judges each', async () => {
    const takes = async (row: Row) => (await refusalOf('work', row)) === undefined;
    const judging = { request_id: null, task_id: null, kind: 'judge', delivery_id: 'wd_1' };
    expect(await takes(judging)).toBe(true);
    expect(await takes({ ...judging, request_id: 'er_1' })).toBe(false);
    expect(await takes({ ...judging, delivery_id: null })).toBe(false);
    expect(await takes({ ...judging, kind: 'poll' })).toBe(false);
    await insert(database.pool, 'work', { ...ROWS.work, ...judging });
    expect(await takes(judging)).toBe(false);
    await database.pool.query('DELETE FROM work WHERE delivery_id IS NOT NULL');
  });

  it('of work is held only under a lease', async () => {
    await expect(refusalOf('work', { held: true })).resolves.toMatchObject({ code: '23514' });
  });

  it('of an API key has a scope, and nothing beside the known ones', async () => {
    await expect(refusalOf('api_keys', { scopes: [] })).resolves.toMatchObject({ code: '23514' });
    await expect(refusalOf('api_keys', { scopes: ['admin', 'root'] })).resolves.toMatchObject({
      code: '23514',
    });
    await expect(refusalOf('api_keys', { scopes: [...SCOPES] })).resolves.toBeUndefined();
  });

  it('of an API key has a limit of its own whole or not at all', async () => {
    const limit = { rate_limit_requests: 5, rate_limit_seconds: 60 };
    await expect(refusalOf('api_keys', limit)).resolves.toBeUndefined();
    await expect(refusalOf('api_keys', { ...limit, rate_limit_seconds: null })).resolves.toMatchObject({
      constraint: 'api_keys_rate_limit',
    });
    await expect(refusalOf('api_keys', { ...limit, rate_limit_requests: 0 })).resolves.toMatchObject({
      code: '23514',
    });
  });

  it('of the trail may have a type of another version, and a place of its own', async () => {
    await expect(refusalOf('audit_events', { type: 'request.of_another_version' })).resolves.toBeUndefined();
    await expect(refusalOf('audit_events', { seq: 0 })).resolves.toMatchObject({ code: '23505' });
    await expect(refusalOf('audit_events', { seq: -1 })).resolves.toMatchObject({ code: '23514' });
    await expect(refusalOf('audit_events', { request_id: 'er_nobody' })).resolves.toMatchObject({
      code: '23503',
    });
  });
});

describe.each(['origin', 'replica', 'local'])('the trail, with session_replication_role = %s', (role) => {
  it.each([
    ["UPDATE audit_events SET type = 'forged'", 'UPDATE'],
    ['UPDATE audit_events SET seq = seq + 1', 'UPDATE'],
    ['DELETE FROM audit_events', 'DELETE'],
    ['TRUNCATE audit_events', 'TRUNCATE'],
    ['TRUNCATE api_keys CASCADE', 'TRUNCATE'],
    [
      `INSERT INTO audit_events VALUES ('er_1', 0, 'forged', '') ON CONFLICT (request_id, seq) DO UPDATE SET bytes = ''`,
      'UPDATE',
    ],
    [`MERGE INTO audit_events USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE`, 'DELETE'],
  ])('refuses %s', async (sql, operation) => {
    const client = await database.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SET LOCAL session_replication_role = ${role}`);
      await expect(client.query(sql)).rejects.toMatchObject({
        code: '42501',
        message: `audit_events is append-only: ${operation} refused`,
      });
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
    const { rows } = await database.pool.query('SELECT request_id, seq, type, bytes FROM audit_events');
    expect(rows).toEqual([ROWS.audit_events]);
  });
});

describe('the trail of API keys', () => {
  it.each(["UPDATE admin_events SET type = 'forged'", 'DELETE FROM admin_events', 'TRUNCATE admin_events'])(
    'refuses %s',
    async (sql) => {
      const client = await database.pool.connect();
      try {
        await client.query('BEGIN');
        await client.query("INSERT INTO admin_events VALUES (0, 'api_key.created', '{}')");
        await client.query('SET LOCAL session_replication_role = replica');
        await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
      } finally {
        await client.query('ROLLBACK');
        client.release();
      }
    },
  );
});

describe('db/schema.sql', () => {
  it('is what the migrations make of an empty database (if it is not: npm run schema)', async () => {
    const empty = await createEmptyDatabase();
    try {
      await migrate(empty.connectionString);
      expect(await readFile(SCHEMA_FILE, 'utf8')).toBe(await dumpOf(empty));
    } finally {
      await empty.drop();
    }
  });

  it('has nothing of what BullMQ keeps in the same database', async () => {
    const { rows } = await database.pool.query(
      "SELECT count(*) > 0 AS there FROM pg_class WHERE relnamespace = 'bullmq'::regnamespace AND relkind = 'r'",
    );
    expect(rows).toEqual([{ there: true }]);
    expect(await dumpOf(database)).toBe(await readFile(SCHEMA_FILE, 'utf8'));
  });
});

async function dumpOf({ pool }: TestDatabase): Promise<string> {
  const client = await pool.connect();
  try {
    return await dumpSchema(client);
  } finally {
    client.release();
  }
}
