import { beforeAll, describe, expect, it } from '@jest/globals';
import { ROUTES } from '../../src/http/routes.ts';
import { loadApiContract, type ApiContract, type Exchange } from '../support/api-contract.ts';

/** The checker of our own API's answers finds what is wrong: every integration test of the API leans on it. */
const ID = `er_${'0'.repeat(32)}`;
const TIME = '2026-03-01T09:30:00.000Z';
const REQUEST = {
  id: ID,
  type: 'erasure',
  state: 'discovering',
  attention: null,
  regulation: 'gdpr',
  channel: 'api',
  connection: 'default',
  projectKeys: null,
  reference: null,
  subject: { ref: 'a'.repeat(64), kind: 'user_id', keyVersion: 1, state: 'kept', destroyedAt: null },
  receivedAt: TIME,
  createdAt: TIME,
  updatedAt: TIME,
  completedAt: null,
  cancelRequestedAt: null,
  outcome: null,
  hold: null,
  identity: { required: false, verifiedAt: null },
  approvals: { needed: 0, given: 0 },
  coolingOffUntil: null,
  expectedTasks: null,
  clock: null,
  accessPackage: null,
  related: [],
  ticket: null,
  replies: null,
  waiting: { reason: 'queued', actsNext: 'lethe', explanation: 'It is queued.', until: TIME },
  forecast: null,
  tasks: [],
};
const PROBLEM = {
  type: '/problems/request-not-found',
  title: 'There is no such erasure request',
  status: 404,
  detail: 'There is none.',
  instance: 'urn:lethe:request:x',
  code: 'REQUEST_NOT_FOUND',
};
const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'x-request-id': 'x',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'ratelimit-policy': '"key";q=600;w=60',
  ratelimit: '"key";r=599;t=60',
};
const PROBLEM_HEADERS = { ...HEADERS, 'content-type': 'application/problem+json; charset=utf-8' };

const shown = { method: 'GET', path: `/v1/erasure-requests/${ID}`, headers: {}, body: '' };
const submitted = {
  method: 'POST',
  path: '/v1/erasure-requests',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ subject: { userId: 'u' } }),
};
const LOCATION = { ...HEADERS, location: `/v1/erasure-requests/${ID}` };

let contract: ApiContract;
beforeAll(async () => {
  contract = await loadApiContract();
});

const answer = (status: number, headers: Record<string, string>, body: unknown): Exchange['answer'] => ({
  status,
  headers,
  body: JSON.stringify(body),
});

describe("the checker of our API's answers", () => {
  it.each([
    ['a request', { request: shown, answer: answer(200, HEADERS, REQUEST) }],
    ['HEAD', { request: { ...shown, method: 'HEAD' }, answer: { ...answer(200, HEADERS, ''), body: '' } }],
    ['a submission', { request: submitted, answer: answer(201, LOCATION, REQUEST) }],
    ['a problem', { request: shown, answer: answer(404, PROBLEM_HEADERS, PROBLEM) }],
  ])('passes %s', (_name, exchange) => {
    expect(contract.check(exchange)).toEqual([]);
  });

  const wrong = (changes: object) => answer(200, HEADERS, { ...REQUEST, ...changes });
  it.each<[string, Exchange['answer'], RegExp]>([
    ['a status', answer(204, HEADERS, REQUEST), /^status 204 is not one of showErasureRequest$/],
    ['a field missing', wrong({ waiting: undefined }), /required property 'waiting'/],
    ['a field too many', wrong({ userId: 'u' }), /additional properties/],
    ['a field too many inside', wrong({ subject: { ...REQUEST.subject, id: 1 } }), /^\/subject .*additional/],
    ['a state', wrong({ state: 'done' }), /^\/state/],
    ['a text for null', wrong({ completedAt: '' }), /^\/completedAt/],
    ['a time', wrong({ createdAt: '2026-03-01' }), /^\/createdAt .*date-time/],
    ['an id', wrong({ id: 'er_1' }), /^\/id/],
    ['a text for a number', wrong({ subject: { ...REQUEST.subject, keyVersion: '1' } }), /^\/subject\/keyV/],
    ['a content type', answer(200, PROBLEM_HEADERS, REQUEST), /^content type/],
    ['no content type', answer(200, { ...HEADERS, 'content-type': '' }, REQUEST), /^content type/],
    ['no request id', answer(200, { ...HEADERS, 'x-request-id': '' }, REQUEST), /X-Request-Id/],
    ['a cache', answer(200, { ...HEADERS, 'cache-control': 'public' }, REQUEST), /cache/],
    ['no JSON', { status: 200, headers: HEADERS, body: '{' }, /no JSON/],
    ['a problem as JSON', answer(404, HEADERS, PROBLEM), /^content type/],
    ['the code of another status', answer(404, PROBLEM_HEADERS, { ...PROBLEM, code: 'INTERNAL' }), /^\/code/],
    ['another status inside', answer(404, PROBLEM_HEADERS, { ...PROBLEM, status: 500 }), /^\/status/],
    ['another type inside', answer(404, PROBLEM_HEADERS, { ...PROBLEM, type: '/problems/x' }), /^type /],
    [
      'the id of another request',
      answer(404, PROBLEM_HEADERS, { ...PROBLEM, instance: 'urn:lethe:request:y' }),
      /^instance /,
    ],
    ['no detail', answer(404, PROBLEM_HEADERS, { ...PROBLEM, detail: undefined }), /'detail'/],
  ])('finds %s wrong', (_name, seen, error) => {
    const errors = contract.check({ request: shown, answer: seen });
    expect(errors).toEqual(expect.arrayContaining([expect.stringMatching(error)]));
  });

  it.each<[string, Exchange, RegExp]>([
    ['no Location', { request: submitted, answer: answer(201, HEADERS, REQUEST) }, /^header .*'location'/],
    [
      'a Location elsewhere',
      { request: submitted, answer: answer(201, { ...LOCATION, location: '/x' }, REQUEST) },
      /^header .*location/,
    ],
    [
      'nothing left said',
      { request: shown, answer: answer(200, { ...HEADERS, ratelimit: '600' }, REQUEST) },
      /^header .*ratelimit/,
    ],
    [
      'no time to wait',
      {
        request: shown,
        answer: answer(429, PROBLEM_HEADERS, {
          ...PROBLEM,
          status: 429,
          code: 'RATE_LIMITED',
          type: '/problems/rate-limited',
        }),
      },
      /^header .*'retry-after'/,
    ],
    [
      'no challenge',
      {
        request: shown,
        answer: answer(401, PROBLEM_HEADERS, {
          ...PROBLEM,
          status: 401,
          code: 'API_KEY_MISSING',
          type: '/problems/api-key-missing',
        }),
      },
      /^header .*'www-authenticate'/,
    ],
    [
      'a route that is not there',
      { request: { ...shown, path: '/v2' }, answer: answer(200, HEADERS, {}) },
      /^status 200 is not one of ROUTE_NOT_FOUND$/,
    ],
    [
      'a method that is not there',
      { request: { ...shown, method: 'DELETE' }, answer: answer(200, HEADERS, {}) },
      /^status 200 is not one of METHOD_NOT_ALLOWED$/,
    ],
    [
      'a body after HEAD',
      { request: { ...shown, method: 'HEAD' }, answer: answer(200, HEADERS, REQUEST) },
      /^a body after HEAD$/,
    ],
    [
      'a body accepted that the document refuses',
      {
        request: { ...submitted, body: JSON.stringify({ subject: { userId: 'u', name: 'x' } }) },
        answer: answer(201, LOCATION, REQUEST),
      },
      /^accepted, but \/requestBody\/subject .*additional/,
    ],
    [
      'a query accepted that the document does not know',
      { request: { ...shown, path: `${shown.path}?verbose=1` }, answer: answer(200, HEADERS, REQUEST) },
      /^accepted, but \/query .*additional/,
    ],
    [
      'an idempotency key accepted that is too long',
      {
        request: { ...submitted, headers: { ...submitted.headers, 'idempotency-key': 'x'.repeat(256) } },
        answer: answer(201, LOCATION, REQUEST),
      },
      /^accepted, but \/header\/idempotency-key/,
    ],
  ])('finds %s', (_name, exchange, error) => {
    expect(contract.check(exchange)).toEqual([expect.stringMatching(error)]);
  });

  it('understands the schemas of every operation', () => {
    for (const { method, path } of contract.operations) {
      const request = { ...shown, method, path: path.replace('{id}', ID) };
      expect(contract.check({ request, answer: answer(200, HEADERS, {}) })).not.toEqual([]);
      expect(contract.check({ request, answer: answer(201, HEADERS, {}) })).not.toEqual([]);
    }
  });

  it('knows every operation of the document, and none besides', () => {
    expect(contract.operations).toHaveLength(ROUTES.length);
    expect(contract.operations).toContainEqual({ method: 'POST', path: '/v1/erasure-requests' });
    expect(JSON.stringify(contract.operations)).not.toContain('/-/');
  });
});
