import { gzipSync } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Deps, Store } from '../../src/app/ports.ts';
import type { KeyUse } from '../../src/app/ports/keys.ts';
import { SCOPES } from '../../src/app/authenticate.ts';
import { createPool } from '../../src/store/connection.ts';
import { createStore } from '../../src/store/store.ts';
import {
  openApi,
  PERSON,
  placesIn,
  problemIn,
  viewIn,
  type Answer,
  type Api,
  type Call,
} from '../support/api.ts';
import { startRawServer } from '../support/http-server.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

/**
 * Every problem over real HTTP. Each answer is checked against docs/openapi.yaml, and none may hold PERSON, which
 * stands in all that is sent here.
 */
const [backend] = queueBackends();
const REQUESTS = '/v1/erasure-requests';
const SUBMIT = `POST ${REQUESTS}`;
const UNKNOWN = `er_${'0'.repeat(32)}`;
const NO_KEY = `ak_${'0'.repeat(32)}`;
const GOOD = { subject: { userId: PERSON } };
const JSON_TYPE = { 'content-type': 'application/json' };

let stage: Stage;
let api: Api;
let cancelPath: string;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true, projects: [PROJECT] });
  api = await openApi(stage);
  cancelPath = `${REQUESTS}/${viewIn(await api.call(SUBMIT, { json: GOOD })).id}/cancel`;
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const whatIsStored = z.array(z.record(z.string(), z.unknown()));
async function stored(): Promise<unknown> {
  const { rows } = await stage.database.pool.query(
    `SELECT (SELECT count(*) FROM erasure_requests) AS requests, (SELECT count(*) FROM audit_events) AS events,
       (SELECT count(*) FROM idempotency_keys) AS keys, (SELECT count(*) FROM work) AS work,
       (SELECT count(*) FROM admin_events) AS admin_events`,
  );
  return whatIsStored.parse(rows);
}

/** The problem that comes back; nothing was stored. */
async function refusal(target: string, call: Call = {}): Promise<Answer> {
  const before = await stored();
  const answer = await api.call(target, call);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await stored()).toEqual(before);
  return answer;
}
const codeOf = (answer: Answer) => `${answer.status} ${problemIn(answer).code}`;

describe('400', () => {
  it.each<[string, Call]>([
    ['half a JSON value', { body: `{"subject":{"userId":"${PERSON}"}`, headers: JSON_TYPE }],
    ['two JSON values', { body: `{"subject":{"userId":"${PERSON}"}} {}`, headers: JSON_TYPE }],
    ['no JSON', { body: PERSON, headers: JSON_TYPE }],
    ['nothing', { headers: JSON_TYPE }],
    ['an empty body', { body: '', headers: { ...JSON_TYPE, 'content-length': '0' } }],
    ['an empty body in chunks', { body: '', headers: JSON_TYPE, chunked: true }],
    ['only white space', { body: ' \n', headers: JSON_TYPE }],
    [
      'Latin-1',
      { body: Buffer.from(JSON.stringify(GOOD).replace('jane', 'jan\u00e9'), 'latin1'), headers: JSON_TYPE },
    ],
    ['UTF-16', { body: Buffer.from(JSON.stringify(GOOD), 'utf16le'), headers: JSON_TYPE }],
    [
      'a surrogate in UTF-8',
      {
        body: Buffer.concat([
          Buffer.from('{"subject":{"userId":"jane.roe'),
          Buffer.from([0xed, 0xa0, 0x80]),
          Buffer.from('"}}'),
        ]),
        headers: JSON_TYPE,
      },
    ],
  ])('for %s instead of a body', async (_name, call) => {
    for (const target of [SUBMIT, `POST ${cancelPath}`]) {
      // To cancel, no body is needed.
      if (target !== SUBMIT && !call.body && !call.chunked) continue;
      expect(codeOf(await refusal(target, call))).toBe('400 BODY_MALFORMED');
    }
  });

  it.each([
    ['empty', ''],
    ['too long', 'jane.roe'.padEnd(256, '~')],
    ['not ASCII', 'jane.roe \u00e9'],
    ['with a tab', 'jane.roe\tx'],
    ['sent twice', ['jane.roe', 'jane.roe']],
    ['two', ['jane.roe', 'x']],
  ])('for an Idempotency-Key that is %s', async (_name, key) => {
    const answer = await refusal(SUBMIT, { json: GOOD, headers: { 'idempotency-key': key } });
    expect(codeOf(answer)).toBe('400 IDEMPOTENCY_KEY_INVALID');
  });
});

describe('401', () => {
  const TARGETS = [
    SUBMIT,
    `GET ${REQUESTS}`,
    `GET ${REQUESTS}/${UNKNOWN}`,
    `GET ${REQUESTS}/jane.roe`,
    `GET ${REQUESTS}/${UNKNOWN}/events`,
    `GET ${REQUESTS}/${UNKNOWN}/subject`,
    `POST ${REQUESTS}/${UNKNOWN}/cancel`,
    'GET /v1/api-keys',
    'POST /v1/api-keys',
    `POST /v1/api-keys/${NO_KEY}/revoke`,
    `POST /v1/api-keys/${NO_KEY}/rotate`,
    'GET /v1/admin-events',
  ];

  it.each(TARGETS)('for %s without an API key', async (target) => {
    const answer = await refusal(target, { key: null });
    expect(codeOf(answer)).toBe('401 API_KEY_MISSING');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="lethe"');
  });

  it('for HEAD, too', async () => {
    expect((await api.call(`HEAD ${REQUESTS}`, { key: null })).status).toBe(401);
  });

  it('whatever body comes with it, which is not even read', async () => {
    const answer = await refusal(SUBMIT, { key: null, body: 'jane.roe'.repeat(20_000) });
    expect(codeOf(answer)).toBe('401 API_KEY_MISSING');
  });

  it.each([
    ['wrong', `Bearer lethe_${'x'.repeat(43)}`],
    ['empty', 'Bearer '],
    ['of another scheme', `Basic ${Buffer.from('jane.roe:secret').toString('base64')}`],
    ['without a scheme', 'jane.roe'],
    ['too long', `Bearer ${'x'.repeat(201)}`],
    ['two', 'Bearer jane.roe x'],
    ['not a token', 'Bearer jane.roe@example.org'],
  ])('for an API key that is %s', async (_name, authorization) => {
    const answer = await refusal(SUBMIT, { key: null, json: GOOD, headers: { authorization } });
    expect(codeOf(answer)).toBe('401 API_KEY_REFUSED');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="lethe", error="invalid_token"');
  });

  it('for an API key from the moment it is revoked', async () => {
    const key = await api.addKey('admin');
    expect((await api.call(`GET ${REQUESTS}`, { key })).status).toBe(200);
    await stage.database.pool.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [key.id]);
    expect(codeOf(await refusal(SUBMIT, { key, json: GOOD }))).toBe('401 API_KEY_REFUSED');
  });

  it('not for a scheme written small', async () => {
    const { token } = await api.addKey('requests:read');
    const headers = { authorization: `bearer  ${token}` };
    expect((await api.call(`GET ${REQUESTS}`, { key: null, headers })).status).toBe(200);
  });
});

describe('403', () => {
  const targetsOf = {
    'requests:write': [SUBMIT, `POST ${REQUESTS}/${UNKNOWN}/cancel`],
    'requests:read': [`GET ${REQUESTS}`, `GET ${REQUESTS}/${UNKNOWN}`, `GET ${REQUESTS}/${UNKNOWN}/subject`],
    'audit:read': [`GET ${REQUESTS}/${UNKNOWN}/events`, 'GET /v1/admin-events'],
    admin: [
      'GET /v1/api-keys',
      'POST /v1/api-keys',
      `POST /v1/api-keys/${NO_KEY}/revoke`,
      `POST /v1/api-keys/${NO_KEY}/rotate`,
    ],
  } as const;
  const needed = ['requests:write', 'requests:read', 'audit:read', 'admin'] as const;

  it.each(needed)('where %s is needed, for a key of all the other scopes', async (lacks) => {
    const [first, ...others] = SCOPES.filter((scope) => scope !== lacks && scope !== 'admin');
    if (first === undefined) throw new Error('there are no other scopes');
    const key = await api.addKey(first, ...others);
    for (const target of targetsOf[lacks]) {
      const answer = await refusal(target, { key });
      expect(codeOf(answer)).toBe('403 SCOPE_MISSING');
      expect(problemIn(answer).detail).toContain(lacks);
      expect(answer.headers['www-authenticate']).toBe(
        `Bearer realm="lethe", error="insufficient_scope", scope="${lacks}"`,
      );
    }
  });

  it('not for a key that has just the scope', async () => {
    const [write, read] = [await api.addKey('requests:write'), await api.addKey('requests:read')];
    const audit = await api.addKey('audit:read');
    const { headers } = await api.call(SUBMIT, { key: write, json: GOOD });
    expect((await api.call(`GET ${headers['location']}`, { key: read })).status).toBe(200);
    expect((await api.call(`GET ${headers['location']}/events`, { key: audit })).status).toBe(200);
    expect((await api.call('GET /v1/admin-events', { key: audit })).status).toBe(200);
    expect((await api.call(`POST ${headers['location']}/cancel`, { key: write })).status).toBe(200);
  });
});

describe('404', () => {
  it.each([
    UNKNOWN,
    'er_1',
    `er_${'0'.repeat(33)}`,
    `ER_${'0'.repeat(32)}`,
    'jane.roe',
    '%00',
    'a%2Fb',
    '%F0%9F%98%80',
  ])('for the id %s', async (id) => {
    for (const target of [
      `GET ${REQUESTS}/${id}`,
      `GET ${REQUESTS}/${id}/events`,
      `GET ${REQUESTS}/${id}/subject`,
      `POST ${REQUESTS}/${id}/cancel`,
    ]) {
      expect(codeOf(await refusal(target))).toBe('404 REQUEST_NOT_FOUND');
    }
  });

  it.each([NO_KEY, 'ak_1', 'local', UNKNOWN, 'jane.roe'])('for the API key %s', async (id) => {
    for (const command of ['revoke', 'rotate']) {
      expect(codeOf(await refusal(`POST /v1/api-keys/${id}/${command}`))).toBe('404 API_KEY_NOT_FOUND');
    }
  });

  it.each([
    'GET /',
    'GET /v1',
    'GET /v1/jane.roe',
    'GET /V1/erasure-requests',
    'GET /v1/openapi.json',
    'GET /docs/jane.roe',
    'GET /docs/..%2fpackage.json',
    'GET /v2/erasure-requests',
    `GET ${REQUESTS}/${UNKNOWN}/task`,
    `POST ${REQUESTS}/${UNKNOWN}/cancel/x`,
    `DELETE ${REQUESTS}/${UNKNOWN}/jane.roe`,
    'GET /v1/../healthz',
    'GET //healthz',
    'GET /healthz%2f',
    'HEAD /jane.roe',
    'PUT /jane.roe?x=jane.roe',
    'OPTIONS /jane.roe',
  ])('for the route %s', async (target) => {
    const answer = await refusal(target, { key: null });
    expect(answer.status).toBe(404);
    if (!target.startsWith('HEAD')) expect(problemIn(answer).code).toBe('ROUTE_NOT_FOUND');
  });

  it.each(['%ff', '%', '%zz'])('for the path %s, which cannot be decoded', async (id) => {
    for (const target of [`GET ${REQUESTS}/jane.roe${id}`, `POST ${REQUESTS}/jane.roe${id}/cancel`]) {
      expect(codeOf(await refusal(target))).toBe('404 ROUTE_NOT_FOUND');
    }
  });
});

describe('405', () => {
  it.each([
    [REQUESTS, 'POST, GET, HEAD'],
    [`${REQUESTS}/${UNKNOWN}`, 'GET, HEAD'],
    [`${REQUESTS}/jane.roe/events`, 'GET, HEAD'],
    [`${REQUESTS}/jane.roe/cancel`, 'POST'],
    [`${REQUESTS}/jane.roe/subject`, 'GET, HEAD'],
    ['/v1/api-keys', 'GET, HEAD, POST'],
    ['/v1/api-keys/jane.roe/revoke', 'POST'],
    ['/v1/api-keys/jane.roe/rotate', 'POST'],
    ['/v1/admin-events', 'GET, HEAD'],
    ['/healthz', 'GET, HEAD'],
    ['/readyz', 'GET, HEAD'],
    ['/openapi.json', 'GET, HEAD'],
    ['/docs', 'GET, HEAD'],
    ['/docs/jane.roe', 'GET, HEAD'],
  ])('for %s, with what is allowed there', async (path, allowed) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      if (allowed.split(', ').includes(method)) continue;
      const answer = await refusal(`${method} ${path}`, { key: null });
      expect(answer.status).toBe(405);
      expect(answer.headers['allow']).toBe(allowed);
    }
  });
});

describe('413', () => {
  const large = JSON.stringify(GOOD).padEnd(65_537, ' ');
  it.each([
    ['a length that says so', false],
    ['chunks', true],
  ])('for a body over 64 KB, in %s', async (_name, chunked) => {
    for (const target of [SUBMIT, `POST ${cancelPath}`]) {
      const answer = await refusal(target, { body: large, headers: JSON_TYPE, chunked });
      expect(codeOf(answer)).toBe('413 BODY_TOO_LARGE');
    }
  });

  it('and the connection can be used again', async () => {
    for (let times = 0; times < 3; times += 1) {
      await refusal(SUBMIT, { body: large.repeat(4), headers: JSON_TYPE, chunked: true });
      expect((await api.call(`GET ${REQUESTS}`)).status).toBe(200);
    }
  });
});

describe('415', () => {
  const zipped = gzipSync(JSON.stringify(GOOD));
  const body = JSON.stringify(GOOD);
  it.each<[string, Call]>([
    ['no type', { body }],
    ['another type', { body, headers: { 'content-type': 'text/plain' } }],
    ['a form', { body: 'userId=jane.roe', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['a type of the kind', { body, headers: { 'content-type': 'application/jane.roe+json' } }],
    ['a list of types', { body, headers: { 'content-type': 'application/json, jane.roe' } }],
    ['another charset', { body, headers: { 'content-type': 'application/json; charset=latin1' } }],
    ['UTF-16', { body, headers: { 'content-type': 'application/json; charset=utf-16' } }],
    ['another parameter', { body, headers: { 'content-type': 'application/json; for=jane.roe' } }],
    ['gzip', { body: zipped, headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }],
    ['an encoding nobody knows', { body, headers: { ...JSON_TYPE, 'content-encoding': 'jane.roe' } }],
  ])('for a body with %s', async (_name, call) => {
    for (const target of [SUBMIT, `POST ${cancelPath}`]) {
      expect(codeOf(await refusal(target, call))).toBe('415 MEDIA_TYPE_UNSUPPORTED');
    }
  });
});

describe('422', () => {
  const places = async (json: unknown) => {
    const answer = await refusal(SUBMIT, { json });
    expect(codeOf(answer)).toBe('422 SUBMISSION_INVALID');
    return placesIn(answer).toSorted();
  };
  const later = (ms: number) => new Date(Date.now() + ms).toISOString();

  it.each<[string, object, string[]]>([
    [
      'fields that are not known',
      { user_id: PERSON, subject: { userId: 'x', name: PERSON } },
      ['/subject/name', '/user_id'],
    ],
    ['a field named like a person', { [PERSON]: 1, subject: { userId: 'x', [PERSON]: 1 } }, ['', '/subject']],
    ['a date of receipt in the future', { receivedAt: later(3_600_000) }, ['/receivedAt']],
    ['a date of receipt without a time', { receivedAt: '2026-03-01' }, ['/receivedAt']],
    ['a project that is not allowed', { projectKeys: [PROJECT, OTHER_PROJECT] }, ['/projectKeys/1']],
    [
      'what is no project',
      { projectKeys: ['', PERSON, 'a/b', 'x'.repeat(65), '\u0000'] },
      [0, 1, 2, 3, 4].map((at) => `/projectKeys/${at}`),
    ],
    ['no projects', { projectKeys: [] }, ['/projectKeys']],
    ['another connection', { connection: PERSON }, ['/connection']],
    ['a connection named like what every object has', { connection: 'constructor' }, ['/connection']],
    ['another regulation', { regulation: PERSON }, ['/regulation']],
    ['an empty reference', { reference: '' }, ['/reference']],
    ['a reference of two lines', { reference: `${PERSON}\n` }, ['/reference']],
    ['a reference that is too long', { reference: PERSON.padEnd(201, '.') }, ['/reference']],
    ['a note that is too long', { note: PERSON.padEnd(4001, '.') }, ['/note']],
    [
      'a user id that is too long to be kept',
      { subject: { userId: PERSON.padEnd(4097, '.') } },
      ['/subject/userId'],
    ],
    ['a user id that is no text', { subject: { userId: 7 } }, ['/subject/userId']],
    ['a subject that is none', { subject: PERSON }, ['/subject']],
    ['null', { subject: null, projectKeys: null, note: null }, ['/note', '/projectKeys', '/subject']],
    [
      'mistakes of both kinds',
      { subject: { email: `${PERSON} and more` }, connection: 'x', projectKeys: ['/'] },
      ['/connection', '/projectKeys/0', '/subject/email'],
    ],
  ])('for %s, each named', async (_name, changes, expected) => {
    expect(await places({ ...GOOD, ...changes })).toEqual(expected);
  });

  it.each<[string, unknown, string[]]>([
    ['what is no e-mail address', { subject: { email: 'jane.roe' } }, ['/subject/email']],
    ['an address that nobody has', { subject: { email: '@example.org' } }, ['/subject/email']],
    ['an empty subject', { subject: {} }, ['/subject']],
    ['fewer tasks than none', { ...GOOD, expect: { tasks: -1 } }, ['/expect/tasks']],
    ['half a task', { ...GOOD, expect: { tasks: 0.5 } }, ['/expect/tasks']],
    ['an empty object', {}, ['/subject']],
    ['a list', [GOOD], ['']],
    ['a text', PERSON, ['']],
    ['null', null, ['']],
  ])('for %s instead of a submission', async (_name, json, expected) => {
    expect(await places(json)).toEqual(expected);
  });

  it('not for a clock that is a little ahead', async () => {
    const answer = await api.call(SUBMIT, { json: { ...GOOD, receivedAt: later(20_000) } });
    expect(answer.status).toBe(201);
  });

  it('for a body of nothing but mistakes, with the first hundred', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`f${index}`, 1]));
    const answer = await refusal(SUBMIT, { json: { ...GOOD, ...many } });
    expect(placesIn(answer)).toHaveLength(100);
    expect(problemIn(answer).detail).toContain('3000 fields');
  });

  it.each([
    ['a field', { reason: PERSON }, ['/reason']],
    ['a list', [], ['']],
    ['a text', PERSON, ['']],
  ])('for %s in a command, which then is not done', async (_name, json, expected) => {
    const answer = await refusal(`POST ${cancelPath}`, { json });
    expect([codeOf(answer), ...placesIn(answer)]).toEqual(['422 COMMAND_INVALID', ...expected]);
    const view = viewIn(await api.call(`GET ${cancelPath.replace(/\/cancel$/, '')}`));
    expect(view).toMatchObject({ state: 'discovering', cancelRequestedAt: null });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['state=jane.roe', 'state'],
    ['state=erasing&state=completed', 'state'],
    ['reference=', 'reference'],
    ['reference=jane.roe%00', 'reference'],
    ['cursor=jane.roe', 'cursor'],
    ['stat=erasing', 'stat'],
    ['after=1', 'after'],
    ['limit[]=1', ''],
    ['jane.roe@example.org=1', ''],
  ])('for the query ?%s', async (query, parameter) => {
    const answer = await refusal(`GET ${REQUESTS}?${query}`);
    expect([codeOf(answer), ...placesIn(answer)]).toEqual(['422 QUERY_INVALID', parameter]);
  });

  it.each(['after=-2', 'after=2147483648', 'after=1.5', 'after=', 'limit=0', 'cursor=x', 'after=0&after=1'])(
    'for the query ?%s of events',
    async (query) => {
      const answer = await refusal(`GET ${cancelPath.replace(/\/cancel$/, '/events')}?${query}`);
      expect([codeOf(answer), ...placesIn(answer)]).toEqual(['422 QUERY_INVALID', query.split('=')[0]]);
    },
  );

  it('for a query where none is offered', async () => {
    for (const target of [SUBMIT, `POST ${cancelPath}`, `GET ${cancelPath.replace(/\/cancel$/, '')}`]) {
      const answer = await refusal(`${target}?verbose=jane.roe`, { json: GOOD });
      expect([codeOf(answer), ...placesIn(answer)]).toEqual(['422 QUERY_INVALID', 'verbose']);
    }
  });
});

describe('while the database is away', () => {
  const toClose: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of toClose.splice(0).toReversed()) await close();
  });

  /** The API on a store of `connectionString`; with `keys`, API keys are still found. */
  async function openOn(connectionString: string, keys?: Store): Promise<Api> {
    const pool = createPool({ connectionString, max: 5, applicationName: 'away' });
    toClose.push(() => pool.end());
    const store = createStore(pool);
    const parts = {
      store: keys === undefined ? store : { ...store, useApiKey: (use: KeyUse) => keys.useApiKey(use) },
    };
    const away = await openApi(stage, { parts });
    toClose.push(() => away.close());
    return away;
  }

  const TARGETS: readonly [string, Call][] = [
    [SUBMIT, { json: GOOD }],
    [SUBMIT, { json: GOOD, headers: { 'idempotency-key': 'away' } }],
    [`GET ${REQUESTS}`, {}],
    [`GET ${REQUESTS}/${UNKNOWN}`, {}],
    [`GET ${REQUESTS}/${UNKNOWN}/events`, {}],
    [`GET ${REQUESTS}/${UNKNOWN}/subject`, {}],
    [`POST ${REQUESTS}/${UNKNOWN}/cancel`, {}],
    ['GET /v1/api-keys', {}],
    ['POST /v1/api-keys', { json: { name: 'away', scopes: ['admin'] } }],
    [`POST /v1/api-keys/${NO_KEY}/rotate`, {}],
    ['GET /v1/admin-events', {}],
  ];
  async function expectAway(away: Api): Promise<void> {
    for (const [target, call] of TARGETS) {
      const answer = await away.call(target, call);
      expect([target, codeOf(answer)]).toEqual([target, '503 STORE_UNAVAILABLE']);
      expect(answer.headers['retry-after']).toBe('5');
    }
    const { status, body } = await away.call('GET /readyz');
    expect([status, JSON.parse(body)]).toMatchObject([503, { status: 'not_ready' }]);
    expect((await away.call('GET /healthz')).status).toBe(200);
    // Each is worth a line of its own for the operator, and says why.
    const causes = away.log.filter((line) => line.msg === 'STORE_UNAVAILABLE');
    expect(causes).toHaveLength(TARGETS.length);
    expect(causes[0]).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', cause: {} } });
  }

  // Port 1 is the system's, and nothing listens there.
  const NOWHERE = 'postgres://127.0.0.1:1/lethe';

  it('503 when nothing listens there, and when to come again', async () => {
    await expectAway(await openOn(NOWHERE));
  });

  it('503 when it goes away after the API key was found', async () => {
    await expectAway(await openOn(NOWHERE, stage.deps.store));
  });

  it('503 when it cuts every connection', async () => {
    const server = await startRawServer((socket) => socket.destroy());
    toClose.push(() => server.close());
    await expectAway(await openOn(`postgres://127.0.0.1:${server.port}/lethe`));
  });

  it('still refuses what needs no database', async () => {
    const away = await openOn(NOWHERE);
    expect(codeOf(await away.call(SUBMIT, { key: null }))).toBe('401 API_KEY_MISSING');
    expect(codeOf(await away.call('GET /nowhere'))).toBe('404 ROUTE_NOT_FOUND');
  });

  const backends = z.array(z.object({ pid: z.number() }));
  /** The connection of the API that waits for another's lock. */
  async function waitingBackend(): Promise<number> {
    for (let tries = 0; tries < 1_000; tries += 1) {
      const { rows } = await stage.database.pool.query(
        `SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'stage' AND wait_event_type = 'Lock'`,
      );
      const [found] = backends.parse(rows);
      if (found) return found.pid;
      await sleep(10);
    }
    throw new Error('nobody waits');
  }

  it('503 when it goes away in the middle of a submission, which can be sent again', async () => {
    const key = await api.addKey('requests:write');
    const send = () => api.call(SUBMIT, { key, json: GOOD, headers: { 'idempotency-key': 'in the middle' } });
    const before = await stored();
    // Somebody else holds the idempotency key, so that the submission waits inside its transaction.
    const other = await stage.database.pool.connect();
    toClose.push(() => {
      other.release();
      return Promise.resolve();
    });
    await other.query('BEGIN');
    await other.query('INSERT INTO idempotency_keys (api_key_id, key, fingerprint) VALUES ($1, $2, $3)', [
      key.id,
      'in the middle',
      Buffer.alloc(32),
    ]);
    const cut = send();
    await stage.database.pool.query('SELECT pg_terminate_backend($1)', [await waitingBackend()]);
    expect(codeOf(await cut)).toBe('503 STORE_UNAVAILABLE');
    await other.query('ROLLBACK');
    expect(await stored()).toEqual(before);
    expect((await send()).status).toBe(201);
  });
});

describe('what nobody foresaw', () => {
  it('is 500 and says no more; the log says where it arose, without its text', async () => {
    const vault: Deps['vault'] = {
      ...stage.deps.vault,
      boxOf: (key) => ({
        ...stage.deps.vault.boxOf(key),
        sealSubject: (_id, subject) => {
          throw new TypeError(`cannot seal ${JSON.stringify(subject)}`);
        },
      }),
    };
    const broken = await openApi(stage, { parts: { vault } });
    const before = await stored();
    const answer = await broken.call(SUBMIT, { json: GOOD, headers: { 'x-request-id': 'unforeseen' } });
    expect(codeOf(answer)).toBe('500 INTERNAL');
    expect(await stored()).toEqual(before);
    const line = await broken.answerLine('unforeseen');
    expect(line).toMatchObject({ level: 50, msg: 'request failed', status: 500 });
    const [cause] = broken.log.filter(({ reqId }) => reqId === 'unforeseen');
    expect(cause).toMatchObject({ level: 50, msg: 'INTERNAL', error: { type: 'TypeError' } });
    expect(JSON.stringify(cause)).toContain('sealSubject');
    await broken.close();
  });
});
