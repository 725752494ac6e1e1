import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { unroutableReason } from '../../src/domain/identifiers.ts';
import type { EventsQuery, NewProject, UserQuery, WindowQuery } from '../../src/domain/openreplay.ts';
import { createOpenReplayClient } from '../../src/openreplay/client.ts';
import type { OpenReplayClient } from '../../src/openreplay/client.ts';
import { loadContract } from '../support/contract-validator.ts';
import type { Contract, SeenRequest } from '../support/contract-validator.ts';
import { startHttpServer } from '../support/http-server.ts';
import type { RunningServer } from '../support/http-server.ts';

type Act = (client: OpenReplayClient) => Promise<unknown>;

const seen: SeenRequest[] = [];
let server: RunningServer;
let contract: Contract;
let clients: OpenReplayClient[];

async function record(request: IncomingMessage): Promise<void> {
  let body = '';
  request.setEncoding('utf8');
  for await (const chunk of request) body += String(chunk);
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const);
  seen.push({
    method: request.method ?? '',
    path: request.url ?? '',
    headers: Object.fromEntries(headers),
    body,
  });
}

beforeAll(async () => {
  contract = await loadContract();
  server = await startHttpServer((request, response) => {
    void record(request).then(() => response.end('{}'));
  });
  // Both servers that the contract names, with and without a slash at the end.
  clients = ['/v2', '/api/v2/'].map((basePath) =>
    createOpenReplayClient({
      baseUrl: `${server.origin}${basePath}`,
      apiKey: 'an-organization-key',
      connectTimeoutMs: 5_000,
      responseTimeoutMs: 5_000,
      maxBodyBytes: 10_000,
      maxSockets: 2,
    }),
  );
});

afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
});

// "projects" has the form of a key, but with it /public/{projectKey}/jobs is the path of another operation.
const projectKey = fc.stringMatching(/^[0-9A-Za-z_-]{1,64}$/).filter((key) => key !== 'projects');
const nastyId = fc.constantFrom(
  'bob@example.com',
  '%2e%2e',
  '%2F',
  '..%2Fbob',
  '...',
  '\\..\\x',
  'a?b#c;d&e=f',
  'a b+c%',
  '{userId}',
  'O\'Brien <x> "y" | `z` ^ ~ * ( ) !',
  '日本語',
  '👩‍👩‍👧',
  '\u202eevil',
  '\uffff',
  '__proto__',
  'sessions',
  'a'.repeat(256),
);
const anyId = fc.oneof(
  nastyId,
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: 'grapheme' }),
);
const id = anyId.filter((text) => unroutableReason(text) === undefined);

const filters = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }), { maxLength: 3 });
const text = fc.string({ unit: 'binary' });
const limit = fc.integer({ min: 1, max: 200 });
const page = fc.integer({ min: 1, max: 1_000_000 });
const timestamp = fc.integer({ min: 946_684_800_000, max: 4_102_444_800_000 });
const sortOrder = fc.constantFrom('asc' as const, 'desc' as const);

const windowFields = { limit, page, startTimestamp: timestamp, endTimestamp: timestamp };
const windowOptions = { sortOrder, filters };
const requiredKeys = ['limit', 'page', 'startTimestamp', 'endTimestamp'] as const;
const windowQuery: fc.Arbitrary<WindowQuery> = fc.record(
  { ...windowFields, ...windowOptions },
  { requiredKeys: [...requiredKeys] },
);
const eventsQuery: fc.Arbitrary<EventsQuery> = fc.record(
  { ...windowFields, ...windowOptions, sortBy: text, columns: fc.array(text, { maxLength: 4 }) },
  { requiredKeys: [...requiredKeys] },
);
const userQuery: fc.Arbitrary<UserQuery> = fc.record(
  { limit, page, query: text, filters },
  { requiredKeys: ['limit', 'page'] },
);
const newProject: fc.Arbitrary<NewProject> = fc.record(
  { name: fc.string({ maxLength: 200 }), platform: fc.constantFrom('web' as const, 'ios' as const) },
  { requiredKeys: ['name'] },
);
const user = fc.record({ projectKey, userId: id });
const job = fc.record({ projectKey, jobId: id });
const session = fc.record({ projectKey, sessionId: id });

const operations: Readonly<Record<string, fc.Arbitrary<Act>>> = {
  listProjects: fc.constant((client) => client.listProjects()),
  createProject: newProject.map((project) => (client) => client.createProject(project)),
  getProject: projectKey.map((key) => (client) => client.getProject(key)),
  searchUsers: fc.tuple(projectKey, userQuery).map((args) => (client) => client.searchUsers(...args)),
  getUser: user.map((address) => (client) => client.getUser(address)),
  deleteUser: user.map((address) => (client) => client.deleteUser(address)),
  listUserSessions: fc.tuple(user, windowQuery).map((args) => (client) => client.listUserSessions(...args)),
  listSessionEvents: fc
    .tuple(session, eventsQuery)
    .map((args) => (client) => client.listSessionEvents(...args)),
  listJobs: fc
    .tuple(projectKey, fc.record({ limit, page }))
    .map((args) => (client) => client.listJobs(...args)),
  getJob: job.map((address) => (client) => client.getJob(address)),
  cancelJob: job.map((address) => (client) => client.cancelJob(address)),
  listLiveSessions: fc
    .tuple(projectKey, fc.option(id, { nil: undefined }))
    .map((args) => (client) => client.listLiveSessions(...args)),
  searchLiveSessions: fc
    .tuple(projectKey, windowQuery)
    .map((args) => (client) => client.searchLiveSessions(...args)),
};

async function requestsOf(act: Act): Promise<readonly SeenRequest[]> {
  seen.length = 0;
  for (const client of clients) await act(client);
  return [...seen];
}

describe('every request of the client obeys the contract', () => {
  it.each(Object.entries(operations))('%s', async (operationId, arbitrary) => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async (act) => {
        const requests = await requestsOf(act);
        expect(requests).toHaveLength(clients.length);
        for (const request of requests) {
          expect(contract.validateRequest(request)).toEqual({ operationId, errors: [] });
          expect(request.headers).toMatchObject({
            accept: 'application/json',
            authorization: 'Bearer an-organization-key',
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  it('and each of the 13 operations of the file is among them', () => {
    expect(contract.operationIds).toHaveLength(13);
    expect(Object.keys(operations).toSorted()).toEqual([...contract.operationIds].toSorted());
  });

  it('sends limit and page with every page asked for', async () => {
    const query = { limit: 7, page: 3, startTimestamp: 946_684_800_000, endTimestamp: 946_684_800_001 };
    const paged: readonly Act[] = [
      (client) => client.searchUsers('key', { limit: 7, page: 3 }),
      (client) => client.listUserSessions({ projectKey: 'key', userId: 'u' }, query),
      (client) => client.listSessionEvents({ projectKey: 'key', sessionId: 's' }, query),
      (client) => client.searchLiveSessions('key', query),
    ];
    for (const act of paged) {
      const [request] = await requestsOf(act);
      expect(JSON.parse(request?.body ?? '')).toMatchObject({ limit: 7, page: 3 });
    }
    const [list] = await requestsOf((client) => client.listJobs('key', { limit: 7, page: 3 }));
    expect(list?.path).toBe('/v2/public/key/jobs?limit=7&page=3');
  });

  it('sends a field of nobody else: what a caller adds to a query stays here', async () => {
    const query = {
      limit: 1,
      page: 1,
      startTimestamp: 946_684_800_000,
      endTimestamp: 946_684_800_001,
      secret: 'x',
    };
    const [request] = await requestsOf((client) => client.searchLiveSessions('key', query));
    expect(request?.body).not.toContain('secret');
  });
});

describe('the validator finds a request that breaks the contract', () => {
  const good: SeenRequest = {
    method: 'POST',
    path: '/api/v2/public/key/users/bob/sessions',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key' },
    body: '{"startTimestamp":946684800000,"endTimestamp":946684800001,"limit":1,"page":1}',
  };
  const bodyWith = (fields: object): SeenRequest => {
    const body: unknown = JSON.parse(good.body);
    return { ...good, body: JSON.stringify(Object.assign({}, body, fields)) };
  };
  const { authorization } = good.headers;
  const planted: Readonly<Record<string, SeenRequest>> = {
    'a limit over 200': bodyWith({ limit: 201 }),
    'page 0': bodyWith({ page: 0 }),
    'a limit as text': bodyWith({ limit: '1' }),
    'a window before 2000': bodyWith({ startTimestamp: 1 }),
    'no window': { ...good, body: '{}' },
    'another sort order': bodyWith({ sortOrder: 'up' }),
    'a field of its own': bodyWith({ userId: 'bob' }),
    'no body': { ...good, body: '' },
    'a body that is not JSON': { ...good, body: '{' },
    'no content type': { ...good, headers: { authorization: String(authorization) } },
    'no key': { ...good, headers: { 'content-type': 'application/json' } },
    'a base path of no server': { ...good, path: good.path.replace('/api/v2', '/api/v3') },
    'a path of no operation': { ...good, path: '/v2/public/key/user/bob' },
    'a slash at the end': { ...good, path: `${good.path}/` },
    'a method of no operation': { ...good, method: 'PUT' },
    'a body where none belongs': { ...good, path: '/v2/public/key/jobs/1', method: 'DELETE' },
    'a query where none belongs': { ...good, path: `${good.path}?limit=1` },
    'a limit of 0 in the query': {
      method: 'GET',
      path: '/v2/public/key/jobs?limit=0&page=1',
      headers: { authorization: 'Bearer key' },
      body: '',
    },
    'a user id over 256 characters': { ...good, path: good.path.replace('bob', 'b'.repeat(257)) },
  };

  it('and lets the one pass that they were made from', () => {
    expect(contract.validateRequest(good)).toEqual({ operationId: 'listUserSessions', errors: [] });
  });

  it.each(Object.entries(planted))('%s', (_what, request) => {
    expect(contract.validateRequest(request).errors).not.toEqual([]);
  });

  it('and an answer that breaks it', () => {
    const job = { jobId: '1', status: 'scheduled', createdAt: 1 };
    expect(contract.validateResponse('getJob', 200, { data: job })).toEqual([]);
    expect(contract.validateResponse('getJob', 200, { data: { ...job, jobId: 1 } })).not.toEqual([]);
    expect(contract.validateResponse('getJob', 200, { data: { ...job, status: 'done' } })).not.toEqual([]);
    expect(contract.validateResponse('getJob', 418, {})).not.toEqual([]);
    expect(contract.validateResponse('noSuchOperation', 200, {})).not.toEqual([]);
  });
});
