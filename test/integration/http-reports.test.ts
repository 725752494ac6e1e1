import http from 'node:http';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { registerRow, type RegisterRow } from '../../src/app/register-row.ts';
import type { Submission } from '../../src/app/check-submission.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import type { summaryView } from '../../src/app/summarize.ts';
import { csvCell } from '../../src/app/register-formats.ts';
import { openApi, PERSON, placesIn, problemIn, type Api, type TestKey } from '../support/api.ts';
import { jsonLines, lethe } from '../support/cli.ts';
import { readLeaves } from '../support/log.ts';
import { createTestFolder } from '../support/postgres.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';
import { round } from '../support/tasks.ts';

/** The register and the summary, over real HTTP, of requests in all their ends. */
const [backend] = queueBackends();
const REGISTER = 'GET /v1/reports/register';
let stage: Stage;
let api: Api;
/** The ids of what stands there, by what it is. */
const ids = new Map<string, string>();
const idOf = (name: string) => ids.get(name) ?? '';

const DAY_MS = 86_400_000;

async function submit(name: string, changes: Partial<Submission> = {}): Promise<string> {
  const { requestId } = await submitRequest(
    stage.deps,
    { subject: { userId: `${PERSON} ${name}` }, reference: name, projectKeys: [PROJECT], ...changes },
    { apiKeyId: stage.apiKeyId, idempotencyKey: undefined, channel: 'api' },
  );
  ids.set(name, requestId);
  return requestId;
}

/** Waits at its first gate. */
const wait = (name: string, daysAgo = 0) =>
  submit(name, { regulation: 'uk_gdpr', receivedAt: new Date(Date.now() - daysAgo * DAY_MS) });

async function decide(name: string, verb: string, json: object = {}): Promise<void> {
  const answer = await api.call(`POST /v1/erasure-requests/${idOf(name)}/${verb}`, { json });
  if (answer.status !== 200) throw new Error(answer.body);
}

const jsonl = async (query = ''): Promise<RegisterRow[]> => {
  const { body, headers } = await api.call(`${REGISTER}?format=jsonl&${query}`);
  expect(headers['content-type']).toBe('application/x-ndjson');
  return z.array(registerRow).parse(jsonLines(body));
};
const csv = async (query = ''): Promise<string[][]> => {
  const { body, headers } = await api.call(`${REGISTER}?${query}`);
  expect(headers['content-type']).toBe('text/csv; charset=utf-8');
  return parse(body, { bom: true });
};

/** So many requests of one moment, closed as the one that was completed; they have no events of their own. */
async function insertMany(count: number, receivedAt: string, length = 10): Promise<void> {
  await stage.database.pool.query(
    `INSERT INTO erasure_requests (id, state, regulation, channel, reference, subject_kind, subject_key_version, subject_ref,
       subject_sealed, submitted_by, received_at, created_at, completed_at, closed_at, outcome, due_on)
     SELECT 'er_' || md5(random()::text || n), 'completed', 'gdpr', 'api', rpad('many ' || n, $4, 'x'), subject_kind, 1, subject_ref,
       subject_sealed, submitted_by, $2::timestamptz, $2, $2::timestamptz + n * interval '1 day', now(), 'erased',
       $2::date + 15
     FROM erasure_requests, generate_series(1, $1) AS n WHERE id = $3`,
    [count, receivedAt, idOf('completed'), length],
  );
}

beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({
    backend,
    rules: [{ regulations: ['uk_gdpr'], identity: 'required', approval: 'one' }],
  });
  api = await openApi(stage);
  for (const name of ['completed', 'late'])
    stage.sandbox.addUser({ projectKey: PROJECT, userId: `${PERSON} ${name}`, sessions: 2 });
  await submit('completed');
  await submit('late', { receivedAt: new Date(Date.now() - 40 * DAY_MS) });
  for (const name of ['refused', 'cancelled', 'extended', 'held', 'approved', "=cmd|'/c calc'!A1"])
    await wait(name);
  await wait('overdue', 40);
  await decide('refused', 'refuse', { ground: 'legal_obligation', text: `of ${PERSON}` });
  await decide('cancelled', 'cancel');
  await decide('extended', 'extend', { reason: `of ${PERSON}` });
  for (const verb of ['hold', 'release', 'hold']) await decide('held', verb, { reason: 'a lawsuit' });
  await decide('approved', 'verify-identity', { method: 'document' });
  await decide('approved', 'approve');
  for (const name of ['completed', 'late', 'approved']) await stage.settled(idOf(name));
  await stage.ledger.sealAll();
  // Comes after the end: the register names the event that closed the request all the same.
  await api.call(`GET /v1/erasure-requests/${idOf('completed')}/subject`, { reveals: 'person' });
  await stage.ledger.sealAll();
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

describe('the register', () => {
  let rows: RegisterRow[];
  const rowOf = (name: string) => rows.find(({ request_id: id }) => id === idOf(name));
  beforeAll(async () => {
    rows = await jsonl();
  });

  it('has every request, by the time of its receipt', () => {
    expect(new Set(rows.map(({ request_id: id }) => id))).toEqual(new Set(ids.values()));
    const received = rows.map(({ received_at: at }) => at);
    expect(received).toEqual(received.toSorted());
  });

  it('says how each ended, and what OpenReplay reported', () => {
    const completed = rowOf('completed');
    expect(completed).toMatchObject({
      channel: 'api',
      ticket_ref: 'completed',
      article: ['GDPR Art. 17(1)'],
      regulation: 'gdpr',
      subject_ref: expect.stringMatching(/^[0-9a-f]{64}$/),
      key_version: 1,
      decision: 'erased',
      projects: [`default/${PROJECT}`],
      job_ids: [expect.stringMatching(/^default\/.+/)],
      reported_status: ['completed'],
      verified_at: expect.any(String),
      residuals: ['recordings_marked', 'analytics_store', 'backups'],
      recipients_notified: null,
      days_to_complete: 0,
    });
    expect(rowOf('late')).toMatchObject({ decision: 'erased', days_to_complete: 40 });
    expect(rowOf('overdue')).toMatchObject({ decision: null, completed_at: null, days_to_complete: null });
    expect(rowOf('cancelled')).toMatchObject({ decision: 'cancelled', completed_at: null });
  });

  it('says what people decided, and none of their words', () => {
    expect(rowOf('refused')).toMatchObject({ decision: 'refused', refusal_ground: 'legal_obligation' });
    const extended = rowOf('extended');
    expect(extended).toMatchObject({ extension_reason: 'kept', extension_notified_at: null });
    expect(extended?.extended_to ?? '').toMatch(/^\d{4}-/);
    expect(rowOf('held')?.paused_from).toHaveLength(2);
    expect(rowOf('held')?.paused_to).toHaveLength(1);
    expect(rowOf('approved')).toMatchObject({
      identity_method: 'document',
      identity_verified_at: expect.any(String),
      approver: [expect.stringMatching(/^ak_/)],
      paused_from: [],
    });
  });

  it('names the leaf of the event that closed the request, or of its last one, and a checkpoint that has it', async () => {
    const leaves = await readLeaves(stage.database.pool);
    const types = new Map(
      leaves.map(({ leaf, bytes }) => [
        leaf,
        z
          .object({ request_id: z.string().optional(), type: z.string() })
          .parse(JSON.parse(bytes.toString('utf8'))),
      ]),
    );
    const named = (name: string) => types.get(rowOf(name)?.leaf_index ?? -1);
    expect(named('completed')).toEqual({ request_id: idOf('completed'), type: 'request.completed' });
    expect(named('refused')).toEqual({ request_id: idOf('refused'), type: 'request.refused' });
    expect(named('held')).toEqual({ request_id: idOf('held'), type: 'request.on_hold' });
    for (const { leaf_index: leaf, checkpoint_size: size } of rows)
      expect(size).toBeGreaterThan(leaf ?? Infinity);
  });

  it('names no leaf of what is not sealed', async () => {
    await wait('fresh');
    const fresh = (await jsonl()).find(({ request_id: id }) => id === idOf('fresh'));
    expect(fresh).toMatchObject({ leaf_index: null, checkpoint_size: null });
  });

  it('says the same as CSV', async () => {
    const [columns, ...cells] = await csv();
    expect(columns).toEqual(Object.keys(registerRow.shape));
    expect(cells).toEqual((await jsonl()).map((row) => Object.values(row).map(csvCell)));
    expect(cells.flat()).toContain("'=cmd|'/c calc'!A1");
  });

  it('is of the days that are asked for, in the time zone of the regulation', async () => {
    await submit('midnight', { receivedAt: new Date('2021-06-30T22:30:00Z') });
    expect(await jsonl('from=2021-06-30&to=2021-06-30')).toHaveLength(1);
    for (const query of ['from=2021-06-01&to=2021-06-29', 'from=2021-07-01&to=2021-07-31'])
      expect(await jsonl(query)).toEqual([]);
    const timeZones = { gdpr: 'Europe/Berlin', uk_gdpr: 'Europe/London', ccpa: 'America/Los_Angeles' };
    const inBerlin = { from: '2021-07-01', to: '2021-07-01', timeZones } as const;
    const pages: unknown[] = [];
    for await (const page of stage.deps.reports.readRegister(inBerlin)) pages.push(...page);
    expect(pages).toMatchObject([{ request: { id: idOf('midnight') } }]);
    expect(await stage.deps.reports.countByMonth(inBerlin)).toMatchObject([
      { month: '2021-07', received: 1 },
    ]);
  });

  it('is refused to other keys and for other parameters', async () => {
    const answer = await api.call(REGISTER, { key: await api.addKey('requests:read') });
    expect([answer.status, problemIn(answer).code]).toEqual([403, 'SCOPE_MISSING']);
    for (const query of [
      'from=x',
      'to=2026-02-30',
      'format=pdf',
      'days=3',
      'from=2026-02-02&to=2026-02-01',
      'to=0001-01-01',
    ]) {
      const refused = await api.call(`${REGISTER}?${query}`);
      expect([refused.status, ...placesIn(refused)]).toEqual([422, query.split('=')[0]]);
    }
  });

  it('leaves an event of who read it, and what; asking for the head alone does not', async () => {
    const key = await api.addKey('reports:read');
    await api.call(`HEAD /v1/reports/register`, { key });
    expect((await api.call(`${REGISTER}?from=2026-01-01&to=2026-03-31&format=jsonl`, { key })).status).toBe(
      200,
    );
    const { body } = await api.call('GET /v1/admin-events?limit=200');
    const events = z
      .object({
        events: z.array(z.looseObject({ type: z.string(), actor: z.string(), data: z.looseObject({}) })),
      })
      .parse(JSON.parse(body))
      .events.filter(({ type, actor }) => type === 'report.read' && actor === `api_key:${key.id}`);
    expect(events.map(({ data }) => data)).toEqual([
      { report: 'register', format: 'jsonl', from: '2026-01-01', to: '2026-03-31' },
    ]);
  });
});

describe('the summary', () => {
  type Summary = z.infer<typeof summaryView>;
  const summary = async (query = ''): Promise<Summary> => {
    const { status, body } = await api.call(`GET /v1/reports/summary?${query}`);
    expect(status).toBe(200);
    return z.custom<Summary>().parse(JSON.parse(body));
  };

  it('counts by month of receipt and regulation', async () => {
    const { months, to } = await summary();
    const then = new Date(Date.now() - 40 * DAY_MS).toISOString().slice(0, 7);
    const nothing = {
      open: 0,
      completed: 0,
      completedInTime: 0,
      late: 0,
      refused: [],
      cancelled: 0,
      atRisk: 0,
    };
    expect(months.map(({ month, regulation }) => `${month} ${regulation}`)).toEqual([
      `${then} gdpr`,
      `${then} uk_gdpr`,
      `${to.slice(0, 7)} gdpr`,
      `${to.slice(0, 7)} uk_gdpr`,
    ]);
    expect(months[0]).toMatchObject({
      ...nothing,
      received: 1,
      completed: 1,
      late: 1,
      daysToComplete: { median: 40, p95: 40 },
    });
    expect(months[1]).toMatchObject({
      ...nothing,
      received: 1,
      open: 1,
      late: 1,
      daysToComplete: { median: null, p95: null },
    });
    expect(months[2]).toMatchObject({ ...nothing, received: 1, completed: 1, completedInTime: 1 });
    expect(months[3]).toMatchObject({
      ...nothing,
      received: 7,
      open: 4,
      completed: 1,
      completedInTime: 1,
      refused: [{ ground: 'legal_obligation', count: 1 }],
      cancelled: 1,
    });
  });

  it('has percentiles between values, and knows in time from late', async () => {
    await insertMany(20, '2020-03-01T12:00:00Z');
    const { months } = await summary('from=2020-03-01&to=2020-03-31');
    expect(months).toMatchObject([
      {
        month: '2020-03',
        completed: 20,
        completedInTime: 15,
        late: 5,
        daysToComplete: { median: 10.5, p95: 19.05 },
      },
    ]);
  });

  it('counts what is at risk: open, and one missed night would make it late', async () => {
    await wait('risky', 20);
    await submit('heavy', { receivedAt: new Date('2022-01-10T00:00:00Z') });
    // The stage's rounds take no night: only what is due today can be late by one.
    const today = stage.deps.today('gdpr');
    await stage.settled(idOf('heavy'));
    await stage.database.pool.query(
      `UPDATE erasure_requests SET state = 'erasing', completed_at = NULL, closed_at = NULL, outcome = NULL, due_on = $2::text::date,
         clock = jsonb_set(clock, '{dueOn}', to_jsonb($2::text)) WHERE id = $1`,
      [idOf('heavy'), today],
    );
    await stage.database.pool.query(
      `INSERT INTO tasks (id, request_id, connection, project_key, state, rounds) VALUES ('tk_heavy', $1, 'default', 'other', 'submitted', $2)`,
      [idOf('heavy'), JSON.stringify([{ ...round({ jobId: '1' }), sessionsBefore: 40_000 }])],
    );
    expect((await summary('from=2022-01-01&to=2022-01-31')).months).toMatchObject([
      { received: 1, open: 1, atRisk: 1, late: 0 },
    ]);
  });
});

describe('a register of many pages', () => {
  const COUNT = 1_600;
  /** So that sockets cannot take all of it in. */
  const LENGTH = 10_000;
  const TARGET = '/v1/reports/register?from=2020-02-01&to=2020-02-29';
  let key: TestKey;
  beforeAll(async () => {
    await insertMany(COUNT, '2020-02-10T12:00:00.123456Z', LENGTH);
    key = await api.addKey('reports:read');
  });

  /** Reads nothing until it is told to. */
  const begin = () =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${key.token}` };
      http
        .get({ host: '127.0.0.1', port: api.port, path: TARGET, headers, agent: false }, resolve)
        .once('error', reject);
    });
  const reading = async () => {
    const { rowCount } = await stage.database.pool.query(
      "SELECT FROM pg_stat_activity WHERE application_name = 'stage-reports' AND datname = current_database() AND state <> 'idle'",
    );
    return rowCount;
  };

  it('is of one moment, though its reader is slow, and has each row once', async () => {
    const slow = await begin();
    await insertMany(1, '2020-02-20T12:00:00Z');
    expect(await reading()).toBe(1);
    let text = '';
    slow.setEncoding('utf8');
    for await (const chunk of slow) text += String(chunk);
    const cells = parse(text, { bom: true }).slice(1);
    expect(cells.length).toBe(COUNT);
    expect(new Set(cells.map(([id]) => id)).size).toBe(COUNT);
    expect(await jsonl('from=2020-02-20&to=2020-02-20')).toHaveLength(1);
  });

  it('holds up nobody but other readers of reports, and nothing once its reader has gone', async () => {
    const readers = [await begin(), await begin()];
    const refused = await api.call(REGISTER);
    expect([refused.status, problemIn(refused).code]).toEqual([503, 'STORE_UNAVAILABLE']);
    expect((await api.call('GET /v1/erasure-requests')).status).toBe(200);
    for (const reader of readers) reader.destroy();
    const until = Date.now() + 20_000;
    while ((await reading()) !== 0) {
      if (Date.now() > until) throw new Error('a transaction was left');
      await sleep(20);
    }
    expect((await api.call(REGISTER)).status).toBe(200);
  });
});

describe('lethe report', () => {
  it('register writes the file and says how many rows it has', async () => {
    const cwd = await createTestFolder();
    const { token } = await api.addKey('reports:read');
    const env = { LETHE_URL: `http://127.0.0.1:${api.port}`, LETHE_API_KEY: token };
    const expected = (await jsonl()).length;
    for (const format of ['csv', 'jsonl']) {
      const argv = ['report', 'register', '--format', format, '--out', `register.${format}`];
      const { status, out } = await lethe([...argv, '--json'], { env, cwd });
      expect(status).toBe(0);
      expect(jsonLines(out)).toMatchObject([{ rows: expected }]);
    }
    const text = await readFile(path.join(cwd, 'register.csv'), 'utf8');
    expect(parse(text, { bom: true })).toHaveLength(expected + 1);
    const again = await lethe(['report', 'register', '--out', 'register.csv'], { env, cwd });
    expect([again.status, again.err]).toEqual([2, expect.stringContaining('is there already')]);
    const wrong = await lethe(['report', 'register', '--from', '31.1.', '--out', 'x'], { env, cwd });
    expect([wrong.status, wrong.err]).toEqual([2, expect.stringContaining('--from: expected a day')]);
  });

  it('summary prints a table of 80 columns, or all of it as JSON', async () => {
    const { token } = await api.addKey('reports:read');
    const env = { LETHE_URL: `http://127.0.0.1:${api.port}`, LETHE_API_KEY: token };
    const { status, out } = await lethe(['report', 'summary', '--from', '2020-01-01'], { env });
    expect(status).toBe(0);
    expect(out).toMatch(/^month +law +new/);
    expect(out).toMatch(/^2020-03 +gdpr +20 +0 +0 +15 +5 +0 +0 +10\.5 +19\.05$/m);
    for (const line of out.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const json = await lethe(['report', 'summary', '--from', '2020-03-01', '--to', '2020-03-31', '--json'], {
      env,
    });
    expect(jsonLines(json.out)).toMatchObject([{ months: [{ daysToComplete: { p95: 19.05 } }] }]);
  });
});
