import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { refuseRequest } from '../../src/app/refuse-request.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import type { Deps } from '../../src/app/ports.ts';
import { createReplyTarget, type ReplyTargetConfig } from '../../src/notify/reply-target.ts';
import { startDeliverer, type Deliverer } from '../../workers/deliverer.ts';
import { startHttpServer, type RunningServer } from '../support/http-server.ts';
import { openStage, type Stage } from '../support/stage.ts';

/** Answers to tickets, with stand-ins of Zendesk and Jira that take nothing that the real ones would refuse. */
const OPTIONS = { intervalMs: 25, leaseMs: 10_000, keepMs: 86_400_000, roundMs: 3_600_000 };
const PERSON = 'jane.roe@example.org';
const TOKEN = 'the-token-of-the-account';

interface Heard {
  readonly ticket: string;
  readonly text: string;
  readonly status?: string | undefined;
}
type Fault = 'refuses' | 'takes_and_cuts' | undefined;

/** What both systems have: comments that they keep, moves, and a mood. */
class StandIn {
  readonly heard: Heard[] = [];
  readonly moves: string[] = [];
  readonly wrong: string[] = [];
  calls = 0;
  looks = 0;
  fault: Fault;
  server: RunningServer | undefined;
  url = '';

  readonly user: string;

  constructor(user: string) {
    this.user = user;
  }

  async start(answer: (call: Call) => Answered | undefined): Promise<void> {
    this.server = await startHttpServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.calls += 1;
        const text = Buffer.concat(chunks).toString('utf8');
        const refused = this.refusalOf(request);
        const answered = refused ?? answer(callOf(request, text));
        if (answered === undefined) this.wrong.push(`${request.url} ${text}`);
        if (refused === undefined && this.fault === 'takes_and_cuts' && request.method !== 'GET')
          return request.socket.destroy();
        return response.writeHead(answered?.status ?? 400).end(JSON.stringify(answered?.json ?? {}));
      });
    });
    this.url = this.server.origin;
  }

  private refusalOf({ method, headers }: IncomingMessage): Answered | undefined {
    const expected = `Basic ${Buffer.from(`${this.user}:${TOKEN}`).toString('base64')}`;
    if (headers.authorization !== expected) return { status: 401 };
    if (this.fault === 'refuses') return { status: 503 };
    return method !== 'GET' && headers['content-type'] !== 'application/json' ? { status: 415 } : undefined;
  }
}
function callOf({ method = '', url = '' }: IncomingMessage, text: string): Call {
  const json: unknown = text === '' ? undefined : JSON.parse(text);
  return { call: `${method} ${url}`, json };
}

interface Call {
  readonly call: string;
  readonly json: unknown;
}
interface Answered {
  readonly status: number;
  readonly json?: unknown;
}

const zendeskBody = z.strictObject({
  ticket: z.strictObject({
    comment: z.strictObject({ body: z.string(), public: z.literal(false) }),
    status: z.enum(['open', 'pending', 'hold', 'solved']).optional(),
  }),
});
async function startZendesk(): Promise<StandIn> {
  const standIn = new StandIn('agent@example.com/token');
  await standIn.start(({ call, json }) => {
    const [, put] = /^PUT \/api\/v2\/tickets\/(\d+)\.json$/.exec(call) ?? [];
    const body = zendeskBody.safeParse(json);
    if (put !== undefined && body.success) {
      const { comment, status } = body.data.ticket;
      standIn.heard.push({ ticket: put, text: comment.body, status });
      return { status: 200, json: { ticket: { id: Number(put) } } };
    }
    const [, get] = /^GET \/api\/v2\/tickets\/(\d+)\/comments\.json\?/.exec(call) ?? [];
    if (get === undefined) return undefined;
    standIn.looks += 1;
    const own = standIn.heard.filter(({ ticket }) => ticket === get);
    return {
      status: 200,
      json: { comments: own.map(({ text }, id) => ({ id, body: text, public: false })) },
    };
  });
  return standIn;
}

const adfText = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });
const adf = z.strictObject({
  type: z.literal('doc'),
  version: z.literal(1),
  content: z.array(z.strictObject({ type: z.literal('paragraph'), content: z.array(adfText).min(1) })).min(1),
});
async function startJira(): Promise<StandIn> {
  const standIn = new StandIn('agent@example.com');
  const kept: { ticket: string; body: unknown }[] = [];
  const moved = new Set<string>();
  const read = (key: string, rest: string): Answered => {
    standIn.looks += 1;
    if (rest === 'comment')
      return { status: 200, json: { comments: kept.filter(({ ticket }) => ticket === key) } };
    const transitions = moved.has(key) ? [{ id: '11', to: { id: '31' } }] : [{ id: '31' }];
    return { status: 200, json: { transitions } };
  };
  const comment = (ticket: string, json: unknown): Answered | undefined => {
    const { success, data } = z.strictObject({ body: adf }).safeParse(json);
    if (!success) return undefined;
    kept.push({ ticket, body: data.body });
    const text = data.body.content.map(({ content }) => content.map((one) => one.text).join('')).join('\n');
    standIn.heard.push({ ticket, text });
    return { status: 201, json: { id: '1' } };
  };
  const move = (key: string, json: unknown): Answered | undefined => {
    const asked = z.strictObject({ transition: z.strictObject({ id: z.literal('31') }) }).safeParse(json);
    if (!asked.success || moved.has(key)) return undefined;
    moved.add(key);
    standIn.moves.push(key);
    return { status: 204 };
  };
  await standIn.start(({ call, json }) => {
    const path = /^(GET|POST) \/rest\/api\/3\/issue\/([A-Z]+-\d+)\/(comment|transitions)(\?|$)/.exec(call);
    const [, method, key = '', rest = ''] = path ?? [];
    if (method === undefined) return undefined;
    if (method === 'GET') return read(key, rest);
    return rest === 'comment' ? comment(key, json) : move(key, json);
  });
  return standIn;
}

let stage: Stage;
let deps: Deps;
let zendesk: StandIn;
let jira: StandIn;
let deliverer: Deliverer;
beforeAll(async () => {
  stage = await openStage({
    backend: { name: 'postgres', redisUrl: undefined },
    withoutWorker: true,
    rules: [{ regulations: ['gdpr'], approval: 'one' }],
  });
});
beforeEach(async () => {
  [zendesk, jira] = [await startZendesk(), await startJira()];
  const common = { user: 'agent@example.com', token: TOKEN, prefix: '' };
  const targets: readonly ReplyTargetConfig[] = [
    {
      ...common,
      ...{ name: 'support', kind: 'zendesk', url: zendesk.url, prefix: 'ZD-' },
      on: {
        accepted: { comment: 'Taken in: {{requestId}}, due {{dueOn}} <b>"&' },
        refused: { status: 'solved' },
      },
    },
    { ...common, name: 'privacy', kind: 'jira', url: jira.url, on: { refused: { transition: '31' } } },
  ];
  deps = {
    ...stage.deps,
    replyTargets: targets.map((target) => createReplyTarget(target, stage.deps.sender)),
  };
  await deps.store.setReplyTargets(targets.map(({ name }) => name));
  deliverer = startDeliverer(deps, OPTIONS);
});
afterEach(async () => {
  await deliverer.stop();
  await zendesk.server?.close();
  await jira.server?.close();
  await stage.database.pool.query('DELETE FROM deliveries');
});
afterAll(() => stage.close());

let people = 0;
async function submit(reference: string): Promise<string> {
  people += 1;
  const { requestId } = await submitRequest(
    stage.deps,
    {
      subject: { userId: `${PERSON} ${people}` },
      projectKeys: ['stageProject00000000'],
      reference,
      note: PERSON,
    },
    { apiKeyId: stage.apiKeyId, idempotencyKey: undefined, channel: 'api' },
  );
  return requestId;
}
const refuse = (requestId: string) =>
  refuseRequest(stage.deps, {
    requestId,
    apiKeyId: stage.apiKeyId,
    ground: 'identity_not_established',
    text: `No, ${PERSON}`,
  });

const rows = z.array(
  z.object({
    type: z.string(),
    state: z.string(),
    attempts: z.number(),
    leased: z.boolean(),
    log: z.array(z.string()),
  }),
);
async function deliveries() {
  const found = await stage.database.pool.query(
    `SELECT type, state, attempts, lease IS NOT NULL AS leased, ARRAY(SELECT outcome FROM delivery_attempts
       WHERE delivery_id = deliveries.id ORDER BY id) AS log FROM deliveries ORDER BY place`,
  );
  return rows.parse(found.rows);
}
async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline)
      throw new Error(`waited in vain for ${what}: ${JSON.stringify(await deliveries())}`);
    await sleep(15);
  }
}
const allDelivered = async () => (await deliveries()).every(({ state }) => state === 'delivered');
const hurry = () =>
  stage.database.pool.query("UPDATE deliveries SET run_at = now() WHERE state = 'waiting' AND lease IS NULL");
/** So many attempts of the oldest delivery have failed. */
const failures = (count: number) =>
  until(`${count} failures`, async () => {
    const [first] = await deliveries();
    return first?.leased === false && first.attempts === count;
  });

describe('a ticket', () => {
  it('of Zendesk is commented in the words of the configuration, not in public, and solved', async () => {
    const id = await submit('ZD-4711');
    await refuse(id);
    await until('both', () => zendesk.heard.length === 2);
    expect(zendesk.heard).toEqual([
      {
        ticket: '4711',
        text: expect.stringMatching(
          /^Taken in: er_[0-9a-f]{32}, due \d{4}-\d{2}-\d{2} <b>"&\n\n\[lethe er_\w+ 0\]$/,
        ),
        status: undefined,
      },
      { ticket: '4711', text: expect.stringContaining(`The request ${id} was refused.`), status: 'solved' },
    ]);
    expect(JSON.stringify([zendesk.heard, zendesk.wrong])).not.toContain(PERSON);
    expect([zendesk.wrong, zendesk.looks, jira.calls]).toEqual([[], 0, 0]);
  });

  it('of Jira is commented with a document, and moved on', async () => {
    const id = await submit('PRIV-12');
    await refuse(id);
    await until('the move', () => jira.moves.length === 1);
    expect(jira.heard.map(({ ticket, text }) => [ticket, text.split('\n')[0]])).toEqual([
      ['PRIV-12', expect.stringContaining(`The request was taken in as ${id}.`)],
      ['PRIV-12', `The request ${id} was refused.`],
    ]);
    expect(JSON.stringify(jira.heard)).not.toContain(PERSON);
    expect([jira.wrong, jira.looks, zendesk.calls]).toEqual([[], 0, 0]);
  });

  it.each(['4711', 'ZD-0', 'ZD-1/../2', 'priv-1', 'PRIV-1?x=y', 'ticket of Jane'])(
    'that the reference %s does not name is not called, and nothing waits for it',
    async (reference) => {
      await submit(reference);
      await until('its end', async () => (await deliveries()).length === 0);
      expect([zendesk.calls, jira.calls]).toEqual([0, 0]);
    },
  );
});

describe.each(['zendesk', 'jira'] as const)('%s', (kind) => {
  const standIn = () => (kind === 'zendesk' ? zendesk : jira);
  const reference = kind === 'zendesk' ? 'ZD-99' : 'PRIV-99';

  it('that fails for an hour gets all later, in order, once; the request goes on meanwhile', async () => {
    standIn().fault = 'refuses';
    const id = await submit(reference);
    await refuse(id);
    expect((await stage.show(id)).state).toBe('refused');
    // At once, after 5 s, 5 min and 30 min: within the hour, all in vain, and the second is not tried before the first.
    for (let count = 1; count <= 4; count += 1) {
      await failures(count);
      if (count < 4) await hurry();
    }
    expect((await deliveries()).map(({ attempts, log }) => [attempts, log])).toEqual([
      [4, ['answered', 'answered', 'answered', 'answered']],
      [0, []],
    ]);
    expect((await stage.show(id)).replies).toBe('failing');
    standIn().fault = undefined;
    await hurry();
    await until('both', allDelivered);
    expect((await stage.show(id)).replies).toBe('delivered');
    expect(standIn().heard.map(({ text }) => /lethe er_\w+ (\d+)/.exec(text)?.[1] === '0')).toEqual([
      true,
      false,
    ]);
    expect(standIn().wrong).toEqual([]);
    if (kind === 'jira') expect(jira.moves).toEqual(['PRIV-99']);
  });

  it('that takes a comment and whose answer is lost has it once', async () => {
    standIn().fault = 'takes_and_cuts';
    const id = await submit(reference);
    await failures(1);
    standIn().fault = undefined;
    await refuse(id);
    await hurry();
    await until('both', allDelivered);
    expect((await deliveries()).map(({ log }) => log)).toEqual([['reset', 'found'], ['delivered']]);
    expect(standIn().heard).toHaveLength(2);
  });

  it('a worker that dies after the call makes no second comment', async () => {
    await deliverer.stop();
    await submit(reference);
    const [taken] = await deps.store.takeDueDeliveries({ perReceiver: 1, leaseMs: 10_000 });
    if (taken === undefined) throw new Error('nothing is due');
    // The intent is written, the call is made, and then nothing more is: as when the process is killed.
    let transactions = 0;
    const dying: Deps['store'] = {
      ...deps.store,
      transaction: (work) => {
        transactions += 1;
        return transactions === 1 ? deps.store.transaction(work) : Promise.reject(new Error('killed'));
      },
    };
    const { deliverReply } = await import('../../src/app/deliver-reply.ts');
    await expect(deliverReply({ ...deps, store: dying }, taken)).rejects.toThrow('killed');
    expect(standIn().heard).toHaveLength(1);
    await stage.database.pool.query('UPDATE deliveries SET run_at = now()');
    deliverer = startDeliverer(deps, OPTIONS);
    await until('its end', allDelivered);
    expect((await deliveries()).map(({ log }) => log)).toEqual([['found']]);
    expect(standIn().heard).toHaveLength(1);
  });

  it('that fails for the whole schedule is left alone, which is seen, and the request is as it was', async () => {
    standIn().fault = 'refuses';
    const id = await submit(reference);
    for (let count = 1; count < 10; count += 1) {
      await failures(count);
      await hurry();
    }
    await until('its end', async () => (await deliveries())[0]?.state === 'failed');
    const [shown] = await deps.store.listSentDeliveries({ of: { requestId: id }, limit: 10 });
    expect(shown).toMatchObject({ type: 'request.received', state: 'failed', log: { length: 10 } });
    expect(await stage.show(id)).toMatchObject({ state: 'awaiting_approval', replies: 'failed' });
  });
});

it('a move whose answer is lost is not made again', async () => {
  const id = await submit('PRIV-7');
  await until('the first', allDelivered);
  jira.fault = 'takes_and_cuts';
  await refuse(id);
  const second = (attempts: number) =>
    until(`${attempts} failures`, async () => {
      const [, refusal] = await deliveries();
      return refusal?.leased === false && refusal.attempts === attempts;
    });
  await second(1);
  // The comment is found now, and the answer to the move is lost.
  await hurry();
  await second(2);
  jira.fault = undefined;
  await hurry();
  await until('its end', allDelivered);
  expect([jira.heard.length, jira.moves, jira.wrong]).toEqual([2, ['PRIV-7'], []]);
});

it('without a target nothing is written for tickets', async () => {
  await deps.store.setReplyTargets([]);
  await submit('ZD-1');
  expect(await deliveries()).toEqual([]);
});
