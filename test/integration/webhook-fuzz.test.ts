import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pino from 'pino';
import { z } from 'zod';
import { SOURCE_KINDS, type SourceKind } from '../../src/domain/ticket.ts';
import { openApi, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { HEADER, RULES, sent, sourceOf, ticketSent } from '../support/ticketing.ts';

/** Deliveries that nobody should send: 10,000 of them, half signed as they should be so that their bodies are judged. */
const DELIVERIES = 10_000;
/** Sent at a time, over connections that stay open. */
const AT_A_TIME = 25;

/** Stands in whatever is sent: no line of the log, of API or worker, may hold it. */
const CANARY = 'canary-jane.roe';

const [backend] = queueBackends();
if (backend === undefined) throw new Error('no queue backend');

let stage: Stage;
let api: Api;
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_A_TIME });
const lines: string[] = [];

beforeAll(async () => {
  const sources = new Map(
    SOURCE_KINDS.map((kind) => [kind, sourceOf(kind, { rules: { ...RULES, condition: 'always' } })]),
  );
  stage = await openStage({
    backend,
    parts: {
      intake: { sources, maxBodyBytes: 4_096, keepUnmappableMs: 3_600_000 },
      log: pino({ level: 'trace' }, { write: (text) => lines.push(text) }),
    },
  });
  api = await openApi(stage);
});
afterAll(async () => {
  agent.destroy();
  await api.close();
  await stage.close();
});

interface Delivery {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Uint8Array;
}

const kinds = fc.constantFrom<SourceKind[]>(...SOURCE_KINDS);
const NAMES = [
  ...SOURCE_KINDS.flatMap((kind) => Object.keys(ticketSent(kind, {}).headers)),
  ...[
    HEADER,
    'content-type',
    'content-encoding',
    'x-request-id',
    'x-forwarded-for',
    'accept',
    'cookie',
    'authorization',
  ],
];
/** What may stand in a header at all: Node sends nothing else, and refuses it when others do. */
const headerText = fc
  .string({
    unit: fc
      .integer({ min: 32, max: 255 })
      .filter((code) => code !== 127)
      .map((code) => String.fromCharCode(code)),
    maxLength: 60,
  })
  .map((text) => `${CANARY}${text}`);
const headers = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...NAMES),
    fc
      .stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
      .filter(
        (name) =>
          !/^(host|connection|content-length|transfer-encoding|expect|upgrade|te|trailer|keep-alive|proxy-)/.test(
            name,
          ),
      ),
  ),
  fc.oneof(headerText, fc.array(headerText, { minLength: 2, maxLength: 3 })),
  { maxKeys: 6 },
);

const canary = fc.constant(CANARY);
/** Values where the rules of sources look for others, and any JSON beside. */
const ticket = fc.record(
  {
    key: fc.oneof(
      fc.jsonValue(),
      fc.string().map((text) => `${CANARY}${text}`),
      fc.integer(),
    ),
    customer: fc.oneof(
      fc.jsonValue(),
      fc.record({
        id: fc.oneof(fc.jsonValue(), canary),
        email: fc.oneof(fc.jsonValue(), fc.constant(`${CANARY}@example.org`)),
      }),
    ),
    labels: fc.jsonValue(),
    projects: fc.oneof(fc.jsonValue(), fc.string()),
    requester: fc.oneof(fc.jsonValue(), canary),
    timestamp: fc.oneof(fc.constant(Date.now()), fc.jsonValue()),
  },
  { requiredKeys: [] },
);
const bytes = fc.oneof(
  ticket.map((value) => Buffer.from(JSON.stringify(value))),
  fc.json().map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.concat([Buffer.from(CANARY), array])),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(CANARY + text)),
  fc.integer({ min: 0, max: 4_000 }).map((depth) => Buffer.from('['.repeat(depth))),
  fc.integer({ min: 4_000, max: 6_000 }).map((length) => Buffer.alloc(length, CANARY)),
  fc
    .constantFrom('', ' ', 'null', '{"__proto__":{"key":1}}', '\ufeff{}', '"\\ud800"', '{"key":1e999}')
    .map((text) => Buffer.from(text)),
);

const unsigned: fc.Arbitrary<Delivery> = fc.record({
  path: fc.oneof(kinds, fc.stringMatching(/^[A-Za-z0-9%._~-]{1,40}$/)).map((name) => `/webhooks/${name}`),
  headers,
  body: bytes,
});
const signed: fc.Arbitrary<Delivery> = fc
  .record({ kind: kinds, more: headers, body: bytes, id: fc.uuid() })
  .map(({ kind, more, body, id }) => ({
    path: `/webhooks/${kind}`,
    headers: { ...more, 'content-encoding': 'identity', ...sent(kind, body, { id }).headers },
    body,
  }));

/** The status; rejects when no answer comes. */
function statusOf({ path, headers: of, body }: Delivery): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port: api.port,
      agent,
      method: 'POST',
      path,
      headers: of,
    });
    request.setTimeout(10_000, () => {
      request.destroy(new Error(`no answer: ${path}`));
    });
    request.once('error', reject);
    request.once('response', (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode ?? 0);
      });
    });
    request.end(body);
  });
}

const left = z.tuple([z.object({ left: z.number() })]);

it('never bring a 5xx, a hang, or a line of the log with what they say', async () => {
  const seen = new Map<number, number>();
  const batch = fc.array(fc.oneof(signed, unsigned), { minLength: AT_A_TIME, maxLength: AT_A_TIME });
  await fc.assert(
    fc.asyncProperty(batch, async (deliveries) => {
      const statuses = await Promise.all(deliveries.map(statusOf));
      for (const status of statuses) seen.set(status, (seen.get(status) ?? 0) + 1);
      expect(statuses.filter((status) => ![202, 400, 401, 404, 413, 415, 429, 431].includes(status))).toEqual(
        [],
      );
    }),
    { numRuns: DELIVERIES / AT_A_TIME, endOnFailure: true },
  );
  // Every kind of answer was reached, and most of what was signed was taken in.
  expect([400, 401, 404, 413, 415, 429].filter((status) => !seen.has(status))).toEqual([]);
  expect(seen.get(202)).toBeGreaterThan(DELIVERIES / 10);
  const sql = `SELECT count(*)::int AS left FROM webhook_deliveries WHERE state = 'received'`;
  const deadline = Date.now() + 60_000;
  while (left.parse((await stage.database.pool.query(sql)).rows)[0].left > 0) {
    if (Date.now() > deadline) throw new Error('deliveries are not judged');
    await sleep(100);
  }
  const logged = [...lines, JSON.stringify(api.log)].join('\n');
  const telling = logged
    .split(/(?<=\})[,\n]/)
    .filter((line) => /jane\.roe|a step failed|"level":50/i.test(line));
  expect(telling).toEqual([]);
}, 120_000);
