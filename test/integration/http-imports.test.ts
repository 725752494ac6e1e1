import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { ImportErrorPage, ImportPage, ImportView } from '../../src/app/import-schema.ts';
import { openApi, PERSON, problemIn, type Answer, type Api, type TestKey } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

/** Files over real HTTP; each answer is checked against docs/openapi.yaml, and none may name anybody. */
const [backend] = queueBackends();
const IMPORTS = '/v1/imports';
const CSV = 'text/csv';
const NDJSON = 'application/x-ndjson';

let stage: Stage;
let api: Api;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true, projects: [PROJECT, OTHER_PROJECT] });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

interface File {
  readonly body: string | Uint8Array;
  readonly type?: string;
  readonly key?: TestKey;
  readonly headers?: Record<string, string>;
}

function send({ body, type = CSV, key, headers }: File): Promise<Answer> {
  return api.call(`POST ${IMPORTS}`, {
    body,
    headers: { 'content-type': type, ...headers },
    ...(key && { key }),
  });
}

const importIn = ({ body }: Answer) => z.custom<ImportView>().parse(JSON.parse(body));

async function taken(file: File): Promise<ImportView> {
  const answer = await send(file);
  expect(answer.status).toBe(201);
  return importIn(answer);
}

/** What the answer to GET says of the import that a problem names. */
async function stopped(answer: Answer): Promise<ImportView> {
  return importIn(await api.call(`GET ${answer.headers['location']}`));
}

const requestRow = z.object({
  id: z.string(),
  type: z.string(),
  state: z.string(),
  reference: z.string().nullable(),
  project_keys: z.array(z.string()).nullable(),
  regulation: z.string(),
  due_on: z.string(),
  received: z.string(),
});

/** The requests that an import made, by reference. */
async function made({ id }: ImportView) {
  const { rows } = await stage.database.pool.query(
    `SELECT r.id, r.type, state, reference, project_keys, regulation, due_on::text, received_at::date::text AS received
     FROM import_rows JOIN erasure_requests r ON r.id = request_id WHERE import_id = $1 ORDER BY reference, r.id`,
    [id],
  );
  return z.array(requestRow).parse(rows);
}

async function subjectOf(requestId: string) {
  const scope = await stage.deps.store.findScope(requestId);
  if (scope?.subjectSealed == null) throw new Error('there is no such subject');
  return stage.deps.vault.boxOf(scope.dataKey).openSubject(requestId, scope.subjectSealed);
}

const errorsOf = ({ errors }: ImportView) =>
  errors.flatMap(({ line, errors: own }) => own.map(({ field }) => `${line} ${field}`));

const rows = (count: number, name: string) =>
  Array.from({ length: count }, (_, index) => `${name}-${index}-${PERSON}`);
const csvOf = (names: readonly string[]) => `userId\n${names.join('\n')}\n`;

describe('a CSV file', () => {
  it('becomes requests that wait for an approval by somebody else', async () => {
    const view = await taken({
      body: [
        'reference,userId,projectKeys,regulation,receivedAt,note,connection',
        `A,first ${PERSON},${PROJECT} ${OTHER_PROJECT},ccpa,2026-03-01T09:30:00Z,called at noon,default`,
        `B,second ${PERSON},${PROJECT};${OTHER_PROJECT},,,,`,
        '',
      ].join('\n'),
    });
    expect(view).toMatchObject({
      state: 'completed',
      format: 'csv',
      rows: 2,
      accepted: 2,
      repeated: 0,
      rejected: 0,
    });
    const requests = await made(view);
    expect(requests).toMatchObject([
      {
        reference: 'A',
        state: 'awaiting_approval',
        regulation: 'ccpa',
        received: '2026-03-01',
        due_on: '2026-04-15',
      },
      { reference: 'B', state: 'awaiting_approval', regulation: 'gdpr' },
    ]);
    expect(requests.map((request) => request.project_keys)).toEqual(Array(2).fill([PROJECT, OTHER_PROJECT]));
    for (const { id } of requests) {
      const shown = await stage.show(id);
      expect(shown).toMatchObject({ channel: 'import', approvals: { needed: 1, given: 0 } });
      const trail = await stage.trail(id);
      checkTrail(shown, trail);
      expect(trail[0]?.data).toMatchObject({ channel: 'import', import_id: view.id });
    }
  });

  it('keeps identifiers exactly as they stand', async () => {
    const ids = [
      ' spaced ',
      '9007199254740993',
      '007',
      '1e5',
      '=1+1',
      'he said "x"',
      'a,b',
      'two\nlines',
      'İé😀',
    ];
    const quoted = ids.map((id, index) => `"${id.replaceAll('"', '""')}",${index}`);
    const view = await taken({ body: `\ufeffuserId,reference\r\n${quoted.join('\r\n')}` });
    expect(view).toMatchObject({ state: 'completed', rows: 9, accepted: 9 });
    const requests = await made(view);
    const subjects = await Promise.all(requests.map(({ id }) => subjectOf(id)));
    expect(subjects.map(({ userId }) => userId)).toEqual(ids);
    // An id with a line break can never be sent.
    expect(requests.map(({ state }) => state).filter((state) => state !== 'awaiting_approval')).toEqual([
      'needs_attention',
    ]);
  });

  it('may come in any pieces', async () => {
    const text = `\ufeffuserId,email,reference\r\n"é${PERSON}","",pieces\r\n`;
    const server = http.createServer(api.app).listen(0, '127.0.0.1');
    const key = await api.addKey('requests:write');
    const status = await upload(server, key, (request) => {
      for (const byte of Buffer.from(text)) request.write(Buffer.of(byte));
      request.end();
    });
    server.close();
    expect(status).toBe(201);
    const { rows: found } = await stage.database.pool.query(
      "SELECT id FROM erasure_requests WHERE reference = 'pieces'",
    );
    const [{ id }] = z.tuple([z.object({ id: z.string() })]).parse(found);
    expect(await subjectOf(id)).toEqual({ userId: `é${PERSON}` });
  });

  it('reports each bad row by line and column, and takes the others in', async () => {
    const header = 'userId,email,projectKeys,connection,regulation,receivedAt,reference,note';
    const bad = [
      ',,,,,,,',
      `,not an address ${PERSON},,,,,,`,
      `u,,${PERSON},,,,,`,
      'u,,otherKey,,,,,',
      `u,,,${PERSON},,,,`,
      `u,,,,${PERSON},,,`,
      `u,,,,,${PERSON},,`,
      'u,,,,,2099-01-01T00:00:00Z,,',
      `u,,,,,,${'r'.repeat(201)},`,
      `u,,,,,,,${'n'.repeat(4_001)}`,
      'too,few',
      ',,,,,,,,too many',
    ];
    const good = `good ${PERSON},,,,,,,`;
    const view = await taken({ body: [header, ...bad.flatMap((row) => [row, '']), good].join('\n') });
    expect(view).toMatchObject({ state: 'completed', rows: 13, accepted: 1, rejected: 12 });
    const fields =
      'userId email projectKeys projectKeys connection regulation receivedAt receivedAt reference note'.split(
        ' ',
      );
    expect(errorsOf(view)).toEqual([...fields, '', ''].map((field, index) => `${2 + index * 2} ${field}`));
    for (const { errors } of view.errors) expect(errors[0]?.detail).toMatch(/^expected /);
  });

  it('counts lines, and not rows, where a field has several', async () => {
    const view = await taken({ body: `userId,note\nlines ${PERSON},"a\nb"\n,bad\n"","c\nd"\n,bad\n` });
    expect(errorsOf(view)).toEqual(['4 userId', '5 userId', '7 userId']);
  });

  it('says where bytes are not UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from(`userId,note\nutf8 ${PERSON},`),
      Buffer.of(0xff),
      Buffer.from(`\nutf8 ${PERSON},fine\n`),
    ]);
    const view = await taken({ body });
    expect(view).toMatchObject({ accepted: 1, rejected: 1 });
    expect(errorsOf(view)).toEqual(['2 note']);
  });

  it.each([
    ['no header', `${PERSON}\nsomebody\n`],
    ['no identifier', 'reference\nA\n'],
    ['a column twice', 'userId,userId\na,b\n'],
    ['nothing', ''],
  ])('is refused with %s', async (_name, body) => {
    const answer = await send({ body });
    expect([answer.status, problemIn(answer).code]).toEqual([400, 'IMPORT_MALFORMED']);
    expect(await stopped(answer)).toMatchObject({ state: 'failed', rows: 0, failure: { line: null } });
  });

  it.each([
    ['is never closed', '"open'],
    ['is closed too early', '"early"x'],
  ])('ends at a quote that %s; the rows before it are taken in', async (name, row) => {
    const answer = await send({ body: `userId\nbefore ${name} ${PERSON}\n${row}\nbehind\n` });
    expect([answer.status, problemIn(answer).code]).toEqual([400, 'IMPORT_MALFORMED']);
    const view = await stopped(answer);
    expect(view).toMatchObject({ state: 'failed', rows: 1, accepted: 1, failure: { line: 3 } });
  });

  it('may have nothing but a header', async () => {
    expect(await taken({ body: 'userId' })).toMatchObject({ state: 'completed', rows: 0 });
  });
});

describe('a file of NDJSON', () => {
  const line = (value: unknown) => JSON.stringify(value);

  it('has a submission a line', async () => {
    const view = await taken({
      type: NDJSON,
      body: [
        '\ufeff' + line({ subject: { userId: '9007199254740993' }, projectKeys: [PROJECT], reference: 'A' }),
        '',
        line({ subject: { email: PERSON }, reference: 'B' }) + '\r',
        line({ subject: { userId: `\ud800${PERSON}` }, reference: 'C' }),
        line({ type: 'access_and_erasure', subject: { email: PERSON }, reference: 'D' }),
      ].join('\n'),
    });
    expect(view).toMatchObject({ state: 'completed', format: 'ndjson', rows: 4, accepted: 4 });
    const requests = await made(view);
    expect(await Promise.all(requests.map(({ id }) => subjectOf(id)))).toEqual([
      { userId: '9007199254740993' },
      { email: PERSON },
      { userId: `\ud800${PERSON}` },
      { email: PERSON },
    ]);
    expect(requests.map(({ type }) => type)).toEqual(['erasure', 'erasure', 'erasure', 'access_and_erasure']);
    expect(requests.map(({ state }) => state)).toEqual([
      'awaiting_approval',
      'awaiting_approval',
      'needs_attention',
      'awaiting_identity',
    ]);
  });

  it('reports each bad line', async () => {
    const bad = [
      '{',
      '[]',
      '{} {}',
      line({ subject: {} }),
      line({ subject: { userId: 9007199254740991 } }),
      line({ subject: { userId: 'u', [PERSON]: 1 } }),
      line({ subject: { userId: 'u' }, force: true }),
      line({ subject: { userId: 'u' }, projectKeys: [PROJECT, 'a b'] }),
    ];
    const body = Buffer.concat([Buffer.from(`${bad.join('\n')}\n`), Buffer.of(0x22, 0xff, 0x22, 0x0a)]);
    const view = await taken({ type: NDJSON, body });
    expect(view).toMatchObject({ state: 'completed', rows: 9, accepted: 0, rejected: 9 });
    expect(errorsOf(view)).toEqual([
      '1 ',
      '2 ',
      '3 ',
      '4 /subject',
      '5 /subject/userId',
      '6 /subject',
      '7 /force',
      '8 /projectKeys/1',
      '9 ',
    ]);
  });

  it('may be empty', async () => {
    expect(await taken({ type: NDJSON, body: '' })).toMatchObject({ state: 'completed', rows: 0 });
  });
});

describe('the bounds', () => {
  it.each([
    [CSV, (long: string) => `userId,note\nbefore long csv ${PERSON},x\nlong,${long}\nbehind,x\n`, 3],
    [NDJSON, (long: string) => `{"subject":{"userId":"before long ${PERSON}"}}\n{"note":"${long}"}\n{}\n`, 2],
  ])('of a row: %s', async (type, bodyWith, line) => {
    const answer = await send({ type, body: bodyWith('x'.repeat(65_537)) });
    expect([answer.status, problemIn(answer).code]).toEqual([413, 'IMPORT_TOO_LARGE']);
    expect(await stopped(answer)).toMatchObject({ state: 'failed', rows: 1, accepted: 1, failure: { line } });
  });

  it('of a file that says how long it is', async () => {
    const server = http.createServer(api.app).listen(0, '127.0.0.1');
    const key = await api.addKey('requests:write');
    const status = await upload(server, key, (request) => {
      request.setHeader('content-length', 128 * 1024 * 1024 + 1);
      request.write('userId\n');
    });
    server.closeAllConnections();
    server.close();
    expect(status).toBe(413);
  });

  it.each([['text/plain'], ['text/csv; charset=latin1'], ['application/json']])(
    'of media types: %s',
    async (type) => {
      expect((await send({ body: 'userId\na\n', type })).status).toBe(415);
    },
  );

  it('of encodings', async () => {
    const answer = await send({ body: 'userId\na\n', headers: { 'content-encoding': 'gzip' } });
    expect(answer.status).toBe(415);
  });
});

describe('what was sent before', () => {
  it('makes nothing twice, in whichever format and file', async () => {
    const names = rows(600, 'twice');
    const first = await taken({ body: csvOf(names) });
    expect(first).toMatchObject({ rows: 600, accepted: 600, repeated: 0 });
    const ndjson = names.map((userId) =>
      JSON.stringify({ regulation: 'gdpr', type: 'erasure', subject: { userId } }),
    );
    const again = await taken({ type: NDJSON, body: [...ndjson, '{"subject":{"userId":"new"}}'].join('\n') });
    expect(again).toMatchObject({ rows: 601, accepted: 1, repeated: 600 });
    expect(again.id).not.toBe(first.id);
  });

  it('is one request where two rows of a file are equal, and two where anything differs', async () => {
    const view = await taken({
      body: `userId,reference\ntwin ${PERSON},A\ntwin ${PERSON},A\ntwin ${PERSON},B\n`,
    });
    expect(view).toMatchObject({ rows: 3, accepted: 2, repeated: 1 });
  });

  it('counts for each API key alone', async () => {
    const body = csvOf(rows(2, 'keys'));
    await taken({ body });
    const key = await api.addKey('requests:write');
    expect(await taken({ body, key })).toMatchObject({ accepted: 2, repeated: 0 });
  });

  it('may come again when its request is closed and a month has passed', async () => {
    const body = csvOf(rows(2, 'month'));
    const first = await taken({ body });
    const [one, two] = await made(first);
    await api.call(`POST /v1/erasure-requests/${one?.id}/cancel`);
    expect(await taken({ body })).toMatchObject({ accepted: 0, repeated: 2 });
    await stage.database.pool.query(
      "UPDATE import_rows SET taken_at = now() - interval '31 days' WHERE request_id = ANY ($1)",
      [[one?.id, two?.id]],
    );
    expect(await taken({ body })).toMatchObject({ accepted: 1, repeated: 1 });
    expect(await taken({ body })).toMatchObject({ accepted: 0, repeated: 2 });
  });

  it('makes one set of requests when two send it at the same time', async () => {
    const names = rows(700, 'race');
    const views = await Promise.all(
      [names, names.toReversed(), names].map((each) => taken({ body: csvOf(each) })),
    );
    expect(views.map((view) => view.state)).toEqual(Array(3).fill('completed'));
    expect(views.reduce((sum, view) => sum + view.accepted, 0)).toBe(700);
    expect(views.reduce((sum, view) => sum + view.repeated, 0)).toBe(1_400);
  });
});

describe('an Idempotency-Key', () => {
  const named = (key: string, body: string) => send({ body, headers: { 'idempotency-key': key } });

  it('names the import for its sender alone', async () => {
    const view = importIn(await named('march 1', csvOf(rows(1, 'named'))));
    const find = async (key?: TestKey) => {
      const answer = await api.call(`GET ${IMPORTS}?idempotencyKey=march%201`, key && { key });
      return z
        .custom<ImportPage>()
        .parse(JSON.parse(answer.body))
        .items.map(({ id }) => id);
    };
    expect(await find()).toEqual([view.id]);
    expect(await find(await api.addKey('requests:write'))).toEqual([]);
  });

  it('gets what was completed under it again, and another file is refused', async () => {
    const body = csvOf(rows(3, 'again'));
    const first = await named('again', body);
    const second = await named('again', body);
    expect([second.status, second.body]).toEqual([201, first.body]);
    const other = await named('again', `${body}one more\n`);
    expect([other.status, problemIn(other).code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('goes on with a file that failed and was mended', async () => {
    const failed = await named('mended', csvOf([`one ${PERSON}`, '"open']));
    expect(failed.status).toBe(400);
    const view = importIn(await named('mended', `userId,note\none ${PERSON},\ntwo ${PERSON},\n,\n`));
    expect(`${IMPORTS}/${view.id}`).toBe(failed.headers['location']);
    expect(view).toMatchObject({ state: 'completed', rows: 3, accepted: 2, rejected: 1, failure: null });
    expect(await made(view)).toHaveLength(2);
  });
});

describe('an upload', () => {
  it('that breaks off keeps what was taken, and sent again goes on', async () => {
    const names = rows(700, 'broken');
    const body = csvOf(names);
    const server = http.createServer(api.app).listen(0, '127.0.0.1');
    const key = await api.addKey('requests:write');
    const named = { 'idempotency-key': 'broken' };
    const seen = async () => {
      const answer = await api.call(`GET ${IMPORTS}?idempotencyKey=broken`, { key });
      return z.custom<ImportPage>().parse(JSON.parse(answer.body)).items[0];
    };
    await upload(server, key, (request) => {
      for (const [name, value] of Object.entries(named)) request.setHeader(name, value);
      request.write(body.slice(0, body.length - 20));
      void poll(async () => ((await seen())?.rows ?? 0) > 0).then(() => request.destroy());
    });
    server.close();
    await poll(async () => (await seen())?.state === 'interrupted');
    const before = await seen();
    const view = await taken({ body, key, headers: named });
    expect(view).toMatchObject({
      id: before?.id,
      state: 'completed',
      rows: 700,
      accepted: 700,
      repeated: 0,
    });
    expect(await made(view)).toHaveLength(700);
  });

  it('is overtaken by another one under the same key, and together they make nothing twice', async () => {
    const names = rows(700, 'overtaken');
    const server = http.createServer(api.app).listen(0, '127.0.0.1');
    const key = await api.addKey('requests:write');
    const headers = { 'idempotency-key': 'overtaken' };
    let goOn: () => void = () => undefined;
    const slow = upload(server, key, (request) => {
      request.setHeader('idempotency-key', 'overtaken');
      request.write(csvOf(names.slice(0, 600)));
      goOn = () => request.end(names.slice(600).join('\n'));
    });
    await poll(async () => {
      const answer = await api.call(`GET ${IMPORTS}?idempotencyKey=overtaken`, { key });
      return (z.custom<ImportPage>().parse(JSON.parse(answer.body)).items[0]?.rows ?? 0) > 0;
    });
    const view = await taken({ body: csvOf(names), key, headers });
    goOn();
    expect(await slow).toBe(409);
    server.close();
    expect(view).toMatchObject({ state: 'completed', accepted: 700, repeated: 0 });
    expect(await made(view)).toHaveLength(700);
  });

  it('that fell silent without a word is shown as interrupted', async () => {
    const view = await taken({ body: 'userId' });
    await stage.database.pool.query(
      "UPDATE imports SET state = 'receiving', fingerprint = NULL, updated_at = now() - interval '3 minutes' WHERE id = $1",
      [view.id],
    );
    expect(importIn(await api.call(`GET ${IMPORTS}/${view.id}`)).state).toBe('interrupted');
  });
});

describe('a standing hold', () => {
  it('catches the rows of the one it is on', async () => {
    const userId = `held ${PERSON}`;
    await api.call('POST /v1/holds', { json: { subject: { userId }, reason: 'a lawsuit' } });
    const view = await taken({ body: `userId,reference\n${userId},A\nnot ${userId},B\n` });
    expect((await made(view)).map(({ state }) => state)).toEqual(['on_hold', 'awaiting_approval']);
    const [held] = await made(view);
    checkTrail(await stage.show(held?.id ?? ''), await stage.trail(held?.id ?? ''));
  });
});

describe('rejected rows', () => {
  it('can be read to the last, in pages', async () => {
    const view = await taken({ body: `userId,note\n${`,${PERSON}\n`.repeat(45)}` });
    expect(view.errors).toHaveLength(20);
    const lines: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const answer: Answer = await api.call(`GET ${IMPORTS}/${view.id}/errors?after=${after}&limit=20`);
      const page = z.custom<ImportErrorPage>().parse(JSON.parse(answer.body));
      lines.push(...page.items.map(({ line }) => line));
      after = page.nextAfter;
    }
    expect(lines).toEqual(Array.from({ length: 45 }, (_, index) => index + 2));
  });

  it('leave nothing in the database but line and error', async () => {
    const { rows: kept } = await stage.database.pool.query('SELECT * FROM import_errors');
    expect(kept.length).toBeGreaterThan(0);
    expect(JSON.stringify(kept)).not.toContain('jane');
    expect(Object.keys(z.array(z.looseObject({})).parse(kept)[0] ?? {})).toEqual([
      'import_id',
      'line',
      'problems',
    ]);
  });
});

describe('imports', () => {
  it('are listed newest first, in pages', async () => {
    const ids: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 2; pages += 1) {
      const answer = await api.call(`GET ${IMPORTS}?limit=2${cursor}`);
      const page = z.custom<ImportPage>().parse(JSON.parse(answer.body));
      ids.push(...page.items.map(({ id }) => id));
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(ids).toEqual(ids.toSorted().toReversed());
    expect(new Set(ids).size).toBe(4);
  });

  it('are found by nobody under another id', async () => {
    for (const target of [`${IMPORTS}/im_${'0'.repeat(32)}`, `${IMPORTS}/im_${'0'.repeat(32)}/errors`]) {
      const answer = await api.call(`GET ${target}`);
      expect([answer.status, problemIn(answer).code]).toEqual([404, 'IMPORT_NOT_FOUND']);
    }
  });

  it('need the scope requests:write', async () => {
    const key = await api.addKey('requests:read');
    expect((await send({ body: 'userId', key })).status).toBe(403);
    expect((await api.call(`GET ${IMPORTS}`, { key })).status).toBe(403);
  });
});

/** Sends in whatever way; gives the status, or undefined when there was no answer. */
function upload(
  server: http.Server,
  key: TestKey,
  write: (request: http.ClientRequest) => void,
): Promise<number | undefined> {
  const { port } = z.custom<AddressInfo>().parse(server.address());
  return new Promise((resolve) => {
    const request = http.request({ host: '127.0.0.1', port, agent: false, method: 'POST', path: IMPORTS });
    request.setHeader('authorization', `Bearer ${key.token}`);
    request.setHeader('content-type', CSV);
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('error', () => {
      resolve(undefined);
    });
    request.once('close', () => {
      resolve(undefined);
    });
    write(request);
  });
}

/** Asks until it holds; each question is a call over HTTP, so that no pause is needed between two. */
async function poll(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries += 1) {
    if (tries > 2_000) throw new Error('waited in vain');
  }
}
