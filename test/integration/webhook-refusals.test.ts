import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { SOURCE_KINDS, type SourceKind } from '../../src/domain/ticket.ts';
import { openApi, problemIn, type Answer, type Api } from '../support/api.ts';
import { startLethe, stageEnvironment, type LetheProcess } from '../support/lethe-process.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';
import {
  bodyOf,
  HEADER,
  intakeSection,
  secretsOf,
  sent,
  sourceOf,
  ticketSent,
  type Sent,
} from '../support/ticketing.ts';

const [backend] = queueBackends();
if (backend === undefined) throw new Error('no queue backend');

const masterKey = randomBytes(32);
let stage: Stage;
let api: Api;

beforeAll(async () => {
  const sources = new Map(SOURCE_KINDS.map((kind) => [kind, sourceOf(kind)]));
  stage = await openStage({
    backend,
    masterKey,
    withoutWorker: true,
    parts: { intake: { sources, maxBodyBytes: 100_000, keepUnmappableMs: 3_600_000 } },
  });
  api = await openApi(stage, { trustProxy: true });
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

/** Each call comes from another address, so that none is one too many. */
let calls = 0;
type Headers = Readonly<Record<string, string | readonly string[]>>;
async function post(
  kind: string,
  { headers, body }: { headers: Headers; body: string | Uint8Array },
): Promise<Answer> {
  calls += 1;
  const address = `10.${(calls >> 16) & 255}.${(calls >> 8) & 255}.${calls & 255}`;
  return api.call(`POST /webhooks/${kind}`, {
    key: null,
    body,
    headers: { 'content-type': 'application/json', 'x-forwarded-for': address, ...headers },
  });
}

const counted = z.tuple([z.object({ count: z.number() })]);
async function stored(): Promise<number> {
  const { rows } = await stage.database.pool.query('SELECT count(*)::int AS count FROM webhook_deliveries');
  return counted.parse(rows)[0].count;
}

let tickets = 0;
function ticket(): object {
  tickets += 1;
  return { key: `R-${tickets}`, labels: ['gdpr-erasure'], customer: { id: `user-${tickets}` } };
}

const SIGNATURES: Readonly<Record<SourceKind, string>> = {
  'standard-webhooks': 'webhook-signature',
  zendesk: 'x-zendesk-webhook-signature',
  jira: 'x-hub-signature',
  'jira-automation': HEADER,
  github: 'x-hub-signature-256',
  'shared-secret': HEADER,
};
const OPTIONAL = ['x-zendesk-webhook-invocation-id'];
const signsBody = (kind: SourceKind) => kind !== 'jira-automation' && kind !== 'shared-secret';
const HOUR_MS = 3_600_000;

interface Attempt {
  readonly name: string;
  readonly kind: SourceKind;
  readonly make: () => { headers: Headers; body: string };
}

function changed(kind: SourceKind, change: (good: Sent) => Partial<{ headers: Headers; body: string }>) {
  return () => {
    const good = ticketSent(kind, ticket());
    const { headers = {}, ...rest } = change(good);
    return { ...good, ...rest, headers: { ...good.headers, ...headers } };
  };
}

function without(kind: SourceKind, name: string): Attempt['make'] {
  return () => {
    const { headers, body } = ticketSent(kind, ticket());
    return { body, headers: Object.fromEntries(Object.entries(headers).filter(([one]) => one !== name)) };
  };
}

function attemptsOn(kind: SourceKind): Attempt[] {
  const good = ticketSent(kind, {});
  const needed = Object.keys(good.headers).filter((name) => !OPTIONAL.includes(name));
  const signature = SIGNATURES[kind];
  const withSignature = (of: (value: string) => string) =>
    changed(kind, ({ headers }) => ({ headers: { [signature]: of(headers[signature] ?? '') } }));
  const withBody = (of: (body: string) => string) => changed(kind, ({ body }) => ({ body: of(body) }));
  const attempts: [string, Attempt['make']][] = [
    ...needed.map((name): [string, Attempt['make']] => [`without ${name}`, without(kind, name)]),
    ...Object.keys(good.headers).flatMap((name): [string, Attempt['make']][] => [
      [
        `with ${name} twice`,
        changed(kind, ({ headers }) => ({ headers: { [name]: [headers[name] ?? '', headers[name] ?? ''] } })),
      ],
      [
        `with ${name} twice, once wrong`,
        changed(kind, ({ headers }) => ({ headers: { [name]: ['wrong', headers[name] ?? ''] } })),
      ],
      [`with ${name} empty`, changed(kind, () => ({ headers: { [name]: '' } }))],
    ]),
    [
      'with another secret',
      () =>
        ticketSent(kind, ticket(), {
          secret:
            kind === 'standard-webhooks'
              ? `whsec_${Buffer.alloc(32).toString('base64')}`
              : 'another secret of sixteen',
        }),
    ],
    [
      'with the secret of an empty text',
      () => ticketSent(kind, ticket(), { secret: kind === 'standard-webhooks' ? 'whsec_' : '' }),
    ],
    ['with a signature that is too short', withSignature((value) => value.slice(0, -2))],
    ['with a signature that is too long', withSignature((value) => `${value}00`)],
    [
      'with a signature in other letters',
      withSignature((value) => (value === value.toUpperCase() ? value.toLowerCase() : value.toUpperCase())),
    ],
    ['with a signature that is white space', withSignature(() => ' . ')],
    [
      'with a signature whose last sign is another',
      withSignature((value) => `${value.slice(0, -2)}${value.at(-2) === 'a' ? 'b' : 'a'}${value.slice(-1)}`),
    ],
    [
      'with the secret itself for a signature',
      withSignature((value) => (signsBody(kind) ? secretsOf(kind)[0] : `${value} `.repeat(2))),
    ],
  ];
  if (signsBody(kind)) {
    attempts.push(
      ['with a body that was written anew', withBody((body) => JSON.stringify(JSON.parse(body), null, 1))],
      ['with a line break after the body', withBody((body) => `${body}\n`)],
      ['with another body', withBody((body) => body.replace('gdpr-erasure', 'gdpr-erasurf'))],
      ['without a body', withBody(() => '')],
      [
        'of another algorithm',
        withSignature((value) =>
          value
            .replace(/^sha256=/, 'sha1=')
            .replace(/^v1,/, 'v1a,')
            .replace(/^([A-Za-z0-9+/])/, '$1='),
        ),
      ],
    );
  }
  if (['standard-webhooks', 'zendesk', 'jira'].includes(kind)) {
    attempts.push(
      [
        'that is too old',
        () =>
          ticketSent(kind, ticket(), {
            at: new Date(Date.now() - (kind === 'jira' ? 25 * HOUR_MS : 301_000)),
          }),
      ],
      ['from the future', () => ticketSent(kind, ticket(), { at: new Date(Date.now() + 360_000) })],
    );
  }
  return attempts.map(([name, make]) => ({ name, kind, make }));
}

describe.each(SOURCE_KINDS)('%s', (kind) => {
  it.each(attemptsOn(kind))('$name: 401, which says no more, and nothing is stored', async ({ make }) => {
    const before = await stored();
    const answer = await post(kind, make());
    expect(answer.status).toBe(401);
    expect(problemIn(answer)).toMatchObject({
      code: 'WEBHOOK_REFUSED',
      detail: 'Expected a delivery of this source, signed just now and with its secret.',
    });
    expect(await stored()).toBe(before);
  });

  it('what another source signed is refused', async () => {
    for (const other of SOURCE_KINDS.filter((one) => one !== kind)) {
      const answer = await post(kind, ticketSent(other, ticket()));
      expect([other, answer.status]).toEqual([other, 401]);
    }
  });

  it('both secrets count while one takes the place of the other', async () => {
    for (const secret of secretsOf(kind)) {
      expect((await post(kind, ticketSent(kind, ticket(), { secret }))).status).toBe(202);
    }
  });

  it('a body that is not UTF-8 is refused, signed or not', async () => {
    // In latin1 each character is the byte that is signed.
    const body = Buffer.from(bodyOf(kind, { key: 'R-\xff' }), 'latin1');
    const answer = await post(kind, sent(kind, body));
    expect([answer.status, problemIn(answer).code]).toEqual([400, 'BODY_MALFORMED']);
  });

  it('a replay makes nothing: the same call, a body under another name, and two at once', async () => {
    const good = ticketSent(kind, ticket());
    const before = await stored();
    const renamed = { ...good, headers: { ...good.headers, ...renaming(kind) } };
    const answers = [...(await Promise.all([post(kind, good), post(kind, good)])), await post(kind, good)];
    const repeated = answers.map(({ status, body }) => {
      expect(status).toBe(202);
      return z.object({ repeated: z.boolean() }).parse(JSON.parse(body)).repeated;
    });
    expect(repeated.toSorted()).toEqual([false, true, true]);
    expect((await post(kind, renamed)).body).toBe('{"id":null,"repeated":true}');
    expect(await stored()).toBe(before + 1);
  });

  it('a compressed body is refused, since its bytes are not what was signed', async () => {
    const { headers, body } = ticketSent(kind, ticket());
    const answer = await post(kind, { body, headers: { ...headers, 'content-encoding': 'gzip' } });
    expect(answer.status).toBe(415);
  });
});

/** Where the name of a delivery is not signed, whoever saw one could send it under another. */
function renaming(kind: SourceKind): Record<string, string> {
  const names: Partial<Record<SourceKind, string>> = {
    zendesk: 'x-zendesk-webhook-invocation-id',
    jira: 'x-atlassian-webhook-identifier',
    github: 'x-github-delivery',
  };
  const name = names[kind];
  return name === undefined ? {} : { [name]: 'another-name' };
}

it('a source that is not configured is none', async () => {
  for (const name of ['nobody', 'constructor', '__proto__', 'Zendesk', 'a%2fb', '..%2fv1']) {
    const answer = await post(name, ticketSent('github', ticket()));
    expect([name, answer.status]).toEqual([name, 404]);
  }
});

it('whoever sends wrong ones from one address is told to stop, and right ones come through', async () => {
  const address = { 'x-forwarded-for': '192.0.2.77' };
  const wrong = ticketSent('github', ticket(), { secret: 'another secret of sixteen' });
  const statuses: number[] = [];
  for (let number = 0; number < 62; number += 1) {
    const answer = await post('github', { ...wrong, headers: { ...wrong.headers, ...address } });
    statuses.push(answer.status);
  }
  expect(statuses.filter((status) => status === 401)).toHaveLength(60);
  expect(statuses.slice(60)).toEqual([429, 429]);
  const good = ticketSent('github', ticket());
  expect((await post('github', { ...good, headers: { ...good.headers, ...address } })).status).toBe(202);
});

describe('API processes of their own', () => {
  const running: LetheProcess[] = [];
  afterAll(async () => {
    await Promise.all(running.map((process) => process.stop()));
  });
  const listening = z.object({ port: z.number() });

  async function start(): Promise<{ process: LetheProcess; url: string }> {
    const process = startLethe('api', await stageEnvironment(stage, masterKey, intakeSection()));
    running.push(process);
    const said = await process.says('the API listens');
    const line = said.split('\n').find((text) => text.includes('the API listens')) ?? '';
    return { process, url: `http://127.0.0.1:${listening.parse(JSON.parse(line)).port}` };
  }

  const receipt = z.object({ repeated: z.boolean() });
  async function deliver(url: string, kind: SourceKind, { headers, body }: Sent): Promise<boolean> {
    const answer = await fetch(`${url}/webhooks/${kind}`, { method: 'POST', headers, body });
    expect(answer.status).toBe(202);
    return receipt.parse(await answer.json()).repeated;
  }

  it('know a replay of each other, two at once, and after kill -9 and a start', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    const goods = SOURCE_KINDS.map((kind) => ({ kind, good: ticketSent(kind, ticket()) }));
    const before = await stored();
    for (const { kind, good } of goods) {
      const both = await Promise.all([deliver(one.url, kind, good), deliver(two.url, kind, good)]);
      expect([kind, both.toSorted()]).toEqual([kind, [false, true]]);
    }
    await one.process.kill();
    await two.process.kill();
    const three = await start();
    for (const { kind, good } of goods)
      expect([kind, await deliver(three.url, kind, good)]).toEqual([kind, true]);
    expect(await stored()).toBe(before + SOURCE_KINDS.length);
  });
});
