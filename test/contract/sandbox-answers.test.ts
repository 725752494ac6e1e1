import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import type { OperationId } from '../../src/sandbox/options.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { loadContract, type Contract } from '../support/contract-validator.ts';

/** Every answer of the contract sandbox, checked against the contract file by a validator that is not ours. */
const CONTRACT = new URL('openreplay.openapi.yaml', import.meta.url);
const KEY = 'shop';
const WINDOW = { startTimestamp: 946_684_800_000, endTimestamp: 4_000_000_000_000 };

type Call = readonly [OperationId, number, string, unknown?, string?];
const LONG = 'x'.repeat(257);
/** Operation, expected status, method and path, body, token. SESSION stands for a session that is there. */
const CALLS: readonly Call[] = [
  ['listProjects', 200, 'GET /public/projects'],
  ['listProjects', 401, 'GET /public/projects', undefined, 'wrong'],
  ['createProject', 200, 'POST /public/projects', { name: 'New', platform: 'ios' }],
  ['createProject', 200, 'POST /public/projects', { name: 'New' }],
  ['createProject', 400, 'POST /public/projects', {}],
  ['createProject', 400, 'POST /public/projects', { name: 'x'.repeat(201) }],
  ['createProject', 400, 'POST /public/projects', '{'],
  ['createProject', 401, 'POST /public/projects', { name: 'New' }, 'wrong'],
  ['getProject', 200, 'GET /public/projects/shop'],
  ['getProject', 404, 'GET /public/projects/other'],
  ['searchUsers', 200, 'POST /public/shop/users', { query: 'ann' }],
  ['searchUsers', 200, 'POST /public/shop/users', { limit: 1, page: 9 }],
  ['searchUsers', 400, 'POST /public/shop/users', { limit: 0 }],
  ['searchUsers', 400, 'POST /public/shop/users', 'no JSON'],
  ['searchUsers', 400, 'POST /public/other/users', {}],
  ['getUser', 200, 'GET /public/shop/users/ann%40example.com'],
  ['getUser', 200, 'GET /public/shop/users/bare'],
  ['getUser', 404, 'GET /public/shop/users/nobody'],
  ['getUser', 404, 'GET /public/other/users/ann%40example.com'],
  ['getUser', 404, `GET /public/shop/users/${LONG}`],
  ['listUserSessions', 200, 'POST /public/shop/users/ann%40example.com/sessions', WINDOW],
  ['listUserSessions', 200, 'POST /public/shop/users/ann%40example.com/sessions', { ...WINDOW, page: 9 }],
  ['listUserSessions', 200, 'POST /public/shop/users/nobody/sessions', WINDOW],
  ['listUserSessions', 400, 'POST /public/shop/users/ann%40example.com/sessions', {}],
  [
    'listUserSessions',
    400,
    'POST /public/shop/users/ann%40example.com/sessions',
    { ...WINDOW, startTimestamp: 1 },
  ],
  ['listUserSessions', 400, 'POST /public/shop/users/ann%40example.com/sessions', { ...WINDOW, limit: 201 }],
  ['listUserSessions', 400, `POST /public/shop/users/${LONG}/sessions`, WINDOW],
  ['listSessionEvents', 200, 'POST /public/shop/sessions/SESSION/events', WINDOW],
  ['listSessionEvents', 200, 'POST /public/shop/sessions/1/events', WINDOW],
  ['listSessionEvents', 400, 'POST /public/shop/sessions/SESSION/events', {}],
  ['listSessionEvents', 400, `POST /public/shop/sessions/${LONG}/events`, WINDOW],
  ['listLiveSessions', 200, 'GET /public/shop/assist/sessions'],
  ['listLiveSessions', 200, 'GET /public/shop/assist/sessions?userId=ann%40example.com'],
  ['listLiveSessions', 200, 'GET /public/other/assist/sessions'],
  ['searchLiveSessions', 200, 'POST /public/shop/assist/sessions', WINDOW],
  ['searchLiveSessions', 200, 'POST /public/shop/assist/sessions', { limit: 'many' }],
  ['searchLiveSessions', 200, 'POST /public/other/assist/sessions', WINDOW],
  ['listJobs', 200, 'GET /public/shop/jobs'],
  ['deleteUser', 200, 'DELETE /public/shop/users/ann%40example.com'],
  ['deleteUser', 200, 'DELETE /public/shop/users/bare'],
  ['deleteUser', 404, 'DELETE /public/shop/users/nobody'],
  ['deleteUser', 404, `DELETE /public/shop/users/${LONG}`],
  ['listJobs', 200, 'GET /public/shop/jobs?limit=1&page=2'],
  ['listJobs', 200, 'GET /public/shop/jobs?limit=1000'],
  ['listJobs', 200, 'GET /public/other/jobs'],
  ['getJob', 200, 'GET /public/shop/jobs/1'],
  ['getJob', 404, 'GET /public/shop/jobs/99'],
  ['getJob', 404, 'GET /public/shop/jobs/abc'],
  ['getJob', 404, 'GET /public/empty/jobs/1'],
  ['cancelJob', 200, 'DELETE /public/shop/jobs/1'],
  ['cancelJob', 200, 'DELETE /public/shop/jobs/1'],
  ['cancelJob', 404, 'DELETE /public/shop/jobs/99'],
];

type Node = Readonly<Record<string, unknown>>;
const record = z.record(z.string(), z.unknown());
const file: Node = record.parse(parse(await readFile(CONTRACT, 'utf8')));

/** What lies below `node` at these keys, `$ref`s followed; an empty object when nothing does. */
function below(node: unknown, ...keys: readonly string[]): Node {
  const here = record.safeParse(node).data ?? {};
  const target = z.string().safeParse(here['$ref']);
  if (target.success) return below(file, ...target.data.slice(2).split('/'), ...keys);
  const [key, ...rest] = keys;
  return key === undefined ? here : below(here[key], ...rest);
}

/**
 * Plain OpenAPI lets an object have more keys than its schema names. The sandbox does not, but where the schema says
 * `additionalProperties: true` in so many words (users and events).
 */
function undocumentedKeys(schema: unknown, value: unknown): string[] {
  const list = z.array(z.unknown()).safeParse(value);
  if (list.success) return list.data.flatMap((item) => undocumentedKeys(below(schema, 'items'), item));
  const properties = below(schema, 'properties');
  return Object.entries(record.safeParse(value).data ?? {}).flatMap(([key, inside]) => {
    if (Object.hasOwn(properties, key)) return undocumentedKeys(properties[key], inside);
    return below(schema)['additionalProperties'] === true ? [] : [key];
  });
}

/** Schemas of the answers that the file names, by operationId and status. */
const documented = new Map(
  Object.values(below(file, 'paths')).flatMap((path) =>
    Object.values(below(path)).flatMap((operation) => {
      const operationId = String(below(operation)['operationId']);
      return Object.keys(below(operation, 'responses')).map((status) => {
        const schema = below(operation, 'responses', status, 'content', 'application/json', 'schema');
        return [`${operationId} ${status}`, schema] as const;
      });
    }),
  ),
);
// Parameters are shared by the operations of a path, and no operation.
documented.forEach((_schema, key) => key.startsWith('undefined') && documented.delete(key));

let contract: Contract;
let sandbox: Sandbox;
let url = '';
let sessionId = '';

beforeAll(async () => {
  sandbox = createSandbox({ personality: 'contract', token: 'key' });
  sandbox.addProject(KEY);
  sandbox.addProject('empty');
  sandbox.addUser({
    projectKey: KEY,
    userId: 'ann@example.com',
    email: 'a@b.c',
    country: 'DE',
    sessions: 60,
    live: 2,
  });
  sandbox.addUser({ projectKey: KEY, userId: 'bare', sessions: 0 });
  ({ sessionId } = sandbox.addSession({ projectKey: KEY, userId: 'ann@example.com' }));
  url = await sandbox.start();
  contract = await loadContract();
});
afterAll(() => sandbox.stop());

async function ask(
  line: string,
  body: unknown,
  token = 'key',
): Promise<{ status: number; type: string; json: unknown }> {
  const [method = '', path = ''] = line.replace('SESSION', sessionId).split(' ');
  const sent = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url + path, {
    method,
    body: sent,
    headers: { authorization: `Bearer ${token}` },
  });
  const json: unknown = await response.json();
  return { status: response.status, type: response.headers.get('content-type') ?? '', json };
}

function check(operationId: OperationId, { status, json }: { status: number; json: unknown }): void {
  expect(contract.validateResponse(operationId, status, json)).toEqual([]);
  expect(undocumentedKeys(documented.get(`${operationId} ${status}`), json)).toEqual([]);
}

describe('answers of the contract sandbox', () => {
  it.each(CALLS)('%s %i %s', async (...[operationId, status, line, body, token]) => {
    const reply = await ask(line, body, token);
    expect([reply.status, reply.type]).toEqual([status, 'application/json']);
    check(operationId, reply);
  });

  it('hold for jobs in every state', async () => {
    const seen = new Set<unknown>();
    sandbox.addUser({ projectKey: KEY, userId: 'cy', sessions: 1 });
    sandbox.faults.failFirstJob = { userIds: new Set(['cy']) };
    for (let n = 0; n < 2; n += 1) await ask('DELETE /public/shop/users/cy', undefined);
    sandbox.runAllJobs();
    await ask('DELETE /public/shop/users/ann%40example.com', undefined);
    const reply = await ask('GET /public/shop/jobs', undefined);
    check('listJobs', reply);
    const page = z
      .object({ data: z.object({ jobs: z.array(z.object({ status: z.string() })) }) })
      .parse(reply.json);
    for (const { status } of page.data.jobs) seen.add(status);
    expect([...seen].sort()).toEqual(['cancelled', 'completed', 'failed', 'scheduled']);
  });

  it('cover every answer of the contract file', () => {
    const driven = new Set(CALLS.map(([operationId, status]) => `${operationId} ${status}`));
    expect([...driven].sort()).toEqual([...documented.keys()].sort());
    expect(new Set(CALLS.map(([operationId]) => operationId)).size).toBe(13);
  });

  it('are checked by something that can say no', () => {
    const bad = { data: { jobId: 7, status: 'done', createdAt: 1 } };
    expect(contract.validateResponse('getJob', 200, bad)).not.toEqual([]);
    expect(contract.validateResponse('getJob', 409, { error: 'busy' })).not.toEqual([]);
    const extra = { data: { jobId: '7', status: 'running', createdAt: 1, referenceId: 'u' } };
    expect(undocumentedKeys(documented.get('getJob 200'), extra)).toEqual(['referenceId']);
    const page = { data: { total: 1, sessions: [{ sessionId: '1', userId: 'u' }] } };
    expect(undocumentedKeys(documented.get('listLiveSessions 200'), page)).toEqual(['userId']);
    const projects = { data: [{ projectId: 1, tenantId: 1 }] };
    expect(undocumentedKeys(documented.get('listProjects 200'), projects)).toEqual(['tenantId']);
    const open = { data: { userId: 'u', shoeSize: 43 } };
    expect(undocumentedKeys(documented.get('getUser 200'), open)).toEqual([]);
  });
});
