import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { callbackWithSecret, deliveryPage, type CallbackWithSecret } from '../../src/app/callback-schema.ts';
import { cancelRequest } from '../../src/app/cancel-request.ts';
import { watchDeadlines } from '../../src/app/watch-deadlines.ts';
import { SCHEDULE_MS } from '../../src/domain/delivery-step.ts';
import { startDeliverer, type Deliverer } from '../../workers/deliverer.ts';
import { openApi, PERSON, problemIn, type Api } from '../support/api.ts';
import { lethe } from '../support/cli.ts';
import { startHttpServer, type RunningServer } from '../support/http-server.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

/** Callbacks over real HTTP on both sides. The schedule is not waited for: what is due later is moved to now. */
const CALLBACKS = '/v1/callbacks';
const NOBODY = `cb_${'0'.repeat(32)}`;
const OPTIONS = { intervalMs: 25, leaseMs: 10_000, keepMs: 86_400_000, roundMs: 3_600_000 };

let stage: Stage;
let api: Api;
let deliverer: Deliverer;
const servers: RunningServer[] = [];
beforeAll(async () => {
  stage = await openStage({ backend: { name: 'postgres', redisUrl: undefined }, withoutWorker: true });
  api = await openApi(stage);
});
beforeEach(() => {
  deliverer = startDeliverer(stage.deps, OPTIONS);
});
afterEach(async () => {
  await deliverer.stop();
  for (const server of servers.splice(0)) await server.close();
  await stage.database.pool.query('DELETE FROM callbacks');
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** What is answered from now on. */
  answer: RequestListener;
}

async function startReceiver(
  answer: RequestListener = (_request, response) => response.end(),
): Promise<Receiver> {
  const received: Received[] = [];
  const server = await startHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      receiver.answer(request, response);
    });
  });
  servers.push(server);
  const receiver: Receiver = { url: `${server.origin}/hook?token=hush`, received, answer };
  return receiver;
}
const status =
  (code: number): RequestListener =>
  (_request, response) =>
    response.writeHead(code).end();

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(15);
  }
}

async function ask<T>(schema: z.ZodType<T>, target: string, json?: unknown): Promise<T> {
  const answer = await api.call(target, json === undefined ? {} : { json });
  if (answer.status > 299) throw new Error(`${target} was answered ${answer.status}: ${answer.body}`);
  return schema.parse(JSON.parse(answer.body));
}
const register = (url: string, events: readonly string[]): Promise<CallbackWithSecret> =>
  ask(callbackWithSecret, `POST ${CALLBACKS}`, { name: 'intranet', url, events });
const deliveriesOf = async (id: string) =>
  (await ask(deliveryPage, `GET ${CALLBACKS}/${id}/deliveries`)).items;
const show = async (id: string) => ask(z.looseObject({ state: z.string() }), `GET ${CALLBACKS}/${id}`);

const message = z.strictObject({
  type: z.string(),
  timestamp: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()),
});
/** What a receiver makes of it with the library of Standard Webhooks. */
const verified = (secret: string, { headers, body }: Received) => {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers;
  const given = {
    'webhook-id': String(id),
    'webhook-timestamp': String(timestamp),
    'webhook-signature': String(signature),
  };
  return message.parse(new Webhook(secret).verify(body, given));
};

/** Makes what waits due. */
const hurry = () =>
  stage.database.pool.query("UPDATE deliveries SET run_at = now() WHERE state = 'waiting' AND lease IS NULL");
const adminTypes = async () => {
  const { rows } = await stage.database.pool.query('SELECT type FROM admin_events ORDER BY seq');
  return z
    .array(z.object({ type: z.string() }))
    .parse(rows)
    .map(({ type }) => type);
};
async function cancelled(): Promise<string> {
  const { id } = await stage.submit(`${PERSON} ${Math.random()}`, { projectKeys: [PROJECT] });
  await cancelRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId });
  return id;
}

describe('a callback', () => {
  it('gets the events that it is registered for, signed, with ids and states only', async () => {
    const receiver = await startReceiver();
    const { secret } = await register(receiver.url, ['request.received', 'request.cancelled']);
    const id = await cancelled();
    await until('both events', () => (receiver.received.length === 2 ? true : undefined));
    const messages = receiver.received.map((one) => verified(secret, one));
    expect(
      messages.map(({ type, data }) => ({ type, ...data })).toSorted((a, b) => b.type.localeCompare(a.type)),
    ).toEqual([
      { type: 'request.received', requestId: id, eventSeq: 0, state: 'received' },
      { type: 'request.cancelled', requestId: id, eventSeq: expect.any(Number), state: 'cancelled' },
    ]);
    expect(receiver.received.map(({ body }) => body).join('\n')).not.toContain(PERSON);
    expect(() =>
      verified(`whsec_${Buffer.alloc(32).toString('base64')}`, receiver.received[0] ?? failed()),
    ).toThrow();
  });

  it('is shown without its secret, changed, and deleted with its deliveries', async () => {
    const receiver = await startReceiver();
    const { id, secret } = await register(receiver.url, ['request.received']);
    for (const target of [`GET ${CALLBACKS}`, `GET ${CALLBACKS}/${id}`])
      expect((await api.call(target)).body).not.toContain(secret);
    const view = await ask(z.looseObject({}), `POST ${CALLBACKS}/${id}/update`, {
      events: ['request.cancelled'],
      name: 'x',
    });
    expect(view).toMatchObject({
      name: 'x',
      url: receiver.url,
      events: ['request.cancelled'],
      state: 'active',
    });
    await cancelled();
    await until('the event', () => receiver.received[0]);
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/delete`, {});
    expect((await api.call(`GET ${CALLBACKS}/${id}`)).status).toBe(404);
    expect((await adminTypes()).slice(-3)).toEqual([
      'callback.created',
      'callback.updated',
      'callback.deleted',
    ]);
    expect(receiver.received).toHaveLength(1);
  });

  it('neither URL nor secret stands in the database or the log as it is', async () => {
    const receiver = await startReceiver();
    const { secret } = await register(receiver.url, ['request.received']);
    const { rows } = await stage.database.pool.query(
      "SELECT t::text || ' ' || COALESCE((SELECT string_agg(encode(bytes, 'escape'), ' ') FROM admin_events), '') AS all FROM callbacks t",
    );
    const kept = JSON.stringify(rows) + JSON.stringify(api.log);
    expect(kept).not.toContain('hush');
    expect(kept).not.toContain(secret.slice(6));
    expect(kept).not.toContain(Buffer.from('hush').toString('hex'));
  });

  it('is signed with both secrets while a rotation is under way, and then with the new one alone', async () => {
    const receiver = await startReceiver();
    const { id, secret: old } = await register(receiver.url, ['request.received']);
    const { secret } = await ask(callbackWithSecret, `POST ${CALLBACKS}/${id}/rotate-secret`, {
      graceSeconds: 3_600,
    });
    expect(secret).not.toBe(old);
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/test`, {});
    const during = await until('the test', () => receiver.received[0]);
    expect(verified(old, during)).toEqual(verified(secret, during));
    expect(verified(secret, during)).toMatchObject({ type: 'callback.test', data: { callbackId: id } });
    expect(String(during.headers['webhook-signature']).split(' ')).toHaveLength(2);
    await stage.database.pool.query('UPDATE callbacks SET old_secret_until = now()');
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/test`, {});
    const after = await until('the second test', () => receiver.received[1]);
    expect(() => verified(old, after)).toThrow();
    expect(verified(secret, after)).toMatchObject({ type: 'callback.test' });
  });

  it.each([
    [{ url: 'http://10.0.0.1/', name: 'x', events: ['request.completed'] }, '/url'],
    [{ url: 'https://[::ffff:127.0.0.1]/', name: 'x', events: ['request.completed'] }, '/url'],
    [{ url: 'https://me:pw@example.com/', name: 'x', events: ['request.completed'] }, '/url'],
    [{ url: 'no', name: 'x', events: ['request.completed'] }, '/url'],
    [{ url: 'https://example.com/', name: 'x', events: [] }, '/events'],
    [{ url: 'https://example.com/', name: 'x', events: ['request.approved'] }, '/events/0'],
    [{ url: 'https://example.com/', name: '', events: ['request.completed'] }, '/name'],
    [{ url: 'https://example.com/', name: 'x', events: ['request.completed'], more: 1 }, ''],
  ])('%j is refused at %s', async (json, pointer) => {
    const answer = await api.call(`POST ${CALLBACKS}`, { json });
    expect(problemIn(answer)).toMatchObject({ status: 422, code: 'COMMAND_INVALID' });
    expect(answer.body).toContain(pointer === '' ? 'more' : `"pointer":"${pointer}"`);
  });

  it('needs its scope, and is not found where there is none', async () => {
    const key = await api.addKey('requests:read');
    expect((await api.call(`GET ${CALLBACKS}`, { key })).status).toBe(403);
    const able = await api.addKey('callbacks:write');
    expect((await api.call(`GET ${CALLBACKS}`, { key: able })).status).toBe(200);
    const receiver = await startReceiver();
    const { id } = await register(receiver.url, ['request.received']);
    const calls: [string, object?][] = [
      [`GET ${CALLBACKS}/${NOBODY}`],
      [`POST ${CALLBACKS}/${NOBODY}/update`, { name: 'x' }],
      [`POST ${CALLBACKS}/${NOBODY}/delete`],
      [`POST ${CALLBACKS}/${NOBODY}/rotate-secret`],
      [`POST ${CALLBACKS}/${NOBODY}/test`],
      [`GET ${CALLBACKS}/${NOBODY}/deliveries`],
      [`POST ${CALLBACKS}/${id}/deliveries/dl_${'0'.repeat(32)}/redeliver`],
    ];
    for (const [target, json] of calls) expect((await api.call(target, json && { json })).status).toBe(404);
  });

  it('there are no more than fifty', async () => {
    const { url } = await startReceiver();
    await Promise.all(Array.from({ length: 50 }, () => register(url, ['request.refused'])));
    const answer = await api.call(`POST ${CALLBACKS}`, {
      json: { name: 'x', url, events: ['request.refused'] },
    });
    expect(problemIn(answer)).toMatchObject({ status: 409, code: 'CALLBACKS_FULL' });
  });
});

const stageToken = async () => (await api.addKey('callbacks:write')).token;
function failed(): never {
  throw new Error('nothing was received');
}
const scheduled = z.array(z.object({ wait_s: z.coerce.number(), attempts: z.number() }));
/** How long the one delivery that failed waits for its next attempt, in seconds. */
async function waitsFor(id: string, attempts: number): Promise<number> {
  return until(`attempt ${attempts}`, async () => {
    const { rows } = await stage.database.pool.query(
      `SELECT extract(epoch FROM run_at - (SELECT max(at) FROM delivery_attempts WHERE delivery_id = deliveries.id)) AS wait_s,
         attempts FROM deliveries WHERE callback_id = $1 AND lease IS NULL AND state = 'waiting'`,
      [id],
    );
    const [row] = scheduled.parse(rows);
    return row?.attempts === attempts ? Math.round(row.wait_s) : undefined;
  });
}

describe('a receiver that fails', () => {
  it('is tried at exactly the times of the schedule, and then left alone until somebody says otherwise', async () => {
    const receiver = await startReceiver(status(503));
    const { id, secret } = await register(receiver.url, ['request.received']);
    await cancelled();
    const waits: number[] = [];
    for (let attempt = 1; attempt < SCHEDULE_MS.length; attempt += 1) {
      waits.push(await waitsFor(id, attempt));
      await hurry();
    }
    expect(waits).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    await until('its end', async () => ((await show(id)).state === 'disabled' ? true : undefined));
    expect(receiver.received).toHaveLength(10);
    // All are one message to whoever takes it twice.
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    for (const one of receiver.received) verified(secret, one);
    const [delivery] = await deliveriesOf(id);
    expect(delivery).toMatchObject({ state: 'failed', nextAttemptAt: null });
    expect(delivery?.attempts.map(({ outcome, status: code }) => [outcome, code])).toEqual(
      Array.from({ length: 10 }, () => ['answered', 503]),
    );
    expect(await adminTypes()).toContain('callback.disabled');
    // Nothing more is written for it, and it cannot be tried by hand.
    await cancelled();
    expect(await deliveriesOf(id)).toHaveLength(1);
    expect(problemIn(await api.call(`POST ${CALLBACKS}/${id}/test`))).toMatchObject({
      code: 'CALLBACK_NOT_ACTIVE',
    });
    // Made active again, a delivery that failed can be had once more by hand.
    receiver.answer = status(204);
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/update`, { state: 'active' });
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/deliveries/${delivery?.id}/redeliver`, {});
    await until('the redelivery', () => receiver.received[10]);
    expect(receiver.received[10]?.headers['webhook-id']).toBe(delivery?.id);
    await until('its state', async () =>
      (await deliveriesOf(id))[0]?.state === 'delivered' ? true : undefined,
    );
  });

  it('is ended by 410', async () => {
    const receiver = await startReceiver(status(410));
    const { id } = await register(receiver.url, ['request.received']);
    await cancelled();
    await until('its end', async () => ((await show(id)).state === 'gone' ? true : undefined));
    expect(await deliveriesOf(id)).toMatchObject([
      { state: 'failed', attempts: [{ outcome: 'gone', status: 410 }] },
    ]);
    expect((await adminTypes()).at(-1)).toBe('callback.gone');
  });

  it('a redirect is an answer that is no success, and is not followed', async () => {
    const end = await startReceiver();
    const receiver = await startReceiver((_request, response) => {
      response.writeHead(307, { location: end.url }).end();
    });
    const { id } = await register(receiver.url, ['request.received']);
    await cancelled();
    await until('the attempt', async () => (await deliveriesOf(id))[0]?.attempts[0]);
    expect((await deliveriesOf(id))[0]?.attempts).toMatchObject([{ outcome: 'answered', status: 307 }]);
    expect(end.received).toEqual([]);
  });

  it('a slow one keeps nobody else waiting', async () => {
    let open = 0;
    let most = 0;
    const slow = await startReceiver((_request, response) => {
      open += 1;
      most = Math.max(most, open);
      response.once('close', () => {
        open -= 1;
      });
    });
    const quick = await startReceiver();
    await register(slow.url, ['request.received']);
    await register(quick.url, ['request.received']);
    const ids = await Promise.all(Array.from({ length: 12 }, () => cancelled()));
    await until('all at the quick one', () => (quick.received.length === ids.length ? true : undefined));
    expect([most > 0, most <= 4]).toEqual([true, true]);
  });

  it('what was on its way when the process died goes out again with the same id', async () => {
    const receiver = await startReceiver();
    const { id } = await register(receiver.url, ['request.received']);
    await deliverer.stop();
    await cancelled();
    // Sent, and then nothing was written any more: as a process does that is killed between the two.
    const [taken] = await stage.deps.store.takeDueDeliveries({ perReceiver: 1, leaseMs: 10_000 });
    const dying = {
      ...stage.deps,
      store: { ...stage.deps.store, transaction: () => Promise.reject(new Error('killed')) },
    };
    const { deliverCallback } = await import('../../src/app/deliver-callback.ts');
    await expect(deliverCallback(dying, { ...(taken ?? failed()), callbackId: id })).rejects.toThrow(
      'killed',
    );
    expect(receiver.received).toHaveLength(1);
    deliverer = startDeliverer(stage.deps, OPTIONS);
    await stage.database.pool.query('UPDATE deliveries SET run_at = now() WHERE lease IS NOT NULL');
    await until('the second', () => receiver.received[1]);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    await until('its state', async () =>
      (await deliveriesOf(id))[0]?.state === 'delivered' ? true : undefined,
    );
    expect(receiver.received).toHaveLength(2);
  });
});

describe('lethe callbacks', () => {
  it('does on the command line what the API does', async () => {
    const receiver = await startReceiver();
    const token = await stageToken();
    const env = { LETHE_URL: `http://127.0.0.1:${api.port}`, LETHE_API_KEY: token };
    const run = async (...argv: string[]) => {
      const { status: exit, out, err } = await lethe(['callbacks', ...argv, '--json'], { env });
      if (exit !== 0) throw new Error(`callbacks ${argv.join(' ')} ended with ${exit}: ${err}`);
      return out.split('\n').flatMap((line): unknown[] => (line === '' ? [] : [JSON.parse(line)]));
    };
    const wish = ['--name', 'intranet', '--to', receiver.url, '--event', 'request.received'];
    const [made] = z.array(callbackWithSecret).parse(await run('create', ...wish));
    const { id, secret } = made ?? failed();
    await run('test', id);
    const first = await until('the test', () => receiver.received[0]);
    expect(verified(secret, first)).toMatchObject({ type: 'callback.test' });
    await until('its end', async () =>
      (await deliveriesOf(id))[0]?.state === 'delivered' ? true : undefined,
    );
    const [delivery] = z
      .array(z.looseObject({ id: z.string() }))
      .parse(await run('deliveries', id, '--state', 'delivered', '--limit', '5'));
    expect(delivery?.id).toBe(first.headers['webhook-id']);
    await run('redeliver', id, delivery?.id ?? '');
    await until('the second', () => receiver.received[1]);
    const [rotated] = z.array(callbackWithSecret).parse(await run('rotate-secret', id, '--grace', '0'));
    expect(rotated?.secret).not.toBe(secret);
    expect(await run('update', id, '--state', 'disabled', '--event', 'request.refused')).toMatchObject([
      { state: 'disabled', events: ['request.refused'] },
    ]);
    expect(await run('list')).toMatchObject([{ id, name: 'intranet', state: 'disabled' }]);
    const { out } = await lethe(['callbacks', 'list'], { env });
    expect(out).toContain('intranet');
    await run('delete', id);
    expect(await run('list')).toEqual([]);
    expect((await lethe(['callbacks', 'test', id], { env })).status).not.toBe(0);
  });
});

describe('deliveries', () => {
  it('come in pages, by state', async () => {
    const receiver = await startReceiver();
    const { id } = await register(receiver.url, ['request.received']);
    for (let count = 0; count < 5; count += 1) await ask(z.unknown(), `POST ${CALLBACKS}/${id}/test`, {});
    await until('all', async () =>
      (await deliveriesOf(id)).every(({ state }) => state === 'delivered') ? true : undefined,
    );
    const all = (await deliveriesOf(id)).map((one) => one.id);
    const first = await ask(deliveryPage, `GET ${CALLBACKS}/${id}/deliveries?limit=3&state=delivered`);
    const second = await ask(
      deliveryPage,
      `GET ${CALLBACKS}/${id}/deliveries?limit=3&cursor=${first.nextCursor}`,
    );
    expect([...first.items, ...second.items].map((one) => one.id)).toEqual(all);
    expect(second.nextCursor).toBeNull();
    expect((await ask(deliveryPage, `GET ${CALLBACKS}/${id}/deliveries?state=failed`)).items).toEqual([]);
  });

  it('are forgotten after their time, and so is what waits for a callback that is disabled', async () => {
    const receiver = await startReceiver();
    const { id } = await register(receiver.url, ['request.received']);
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/test`, {});
    await until('the test', async () =>
      (await deliveriesOf(id))[0]?.state === 'delivered' ? true : undefined,
    );
    receiver.answer = status(500);
    await cancelled();
    await waitsFor(id, 1);
    await stage.database.pool.query(
      "UPDATE deliveries SET created_at = now() - interval '2 days', settled_at = settled_at - interval '2 days'",
    );
    await stage.deps.store.tidyDeliveries(OPTIONS.keepMs);
    expect(await deliveriesOf(id)).toMatchObject([{ state: 'waiting' }]);
    await ask(z.unknown(), `POST ${CALLBACKS}/${id}/update`, { state: 'disabled' });
    await stage.deps.store.tidyDeliveries(OPTIONS.keepMs);
    expect(await deliveriesOf(id)).toEqual([]);
  });

  it('a deadline at risk is told of once for each request', async () => {
    const receiver = await startReceiver();
    const { secret } = await register(receiver.url, ['deadline.at_risk']);
    const { id } = await stage.submit(`${PERSON} late`, { projectKeys: [PROJECT] });
    await watchDeadlines(stage.deps);
    await stage.database.pool.query(
      `UPDATE erasure_requests SET due_on = due_on - 400, extended_due_on = extended_due_on - 400,
         clock = jsonb_set(clock, '{dueOn}', to_jsonb((due_on - 400)::text)) WHERE id = $1`,
      [id],
    );
    await Promise.all([watchDeadlines(stage.deps), watchDeadlines(stage.deps), watchDeadlines(stage.deps)]);
    await watchDeadlines(stage.deps);
    const told = await until('the event', () => receiver.received[0]);
    expect(verified(secret, told)).toMatchObject({ type: 'deadline.at_risk', data: { requestId: id } });
    expect((await stage.trail(id)).filter(({ type }) => type === 'deadline.at_risk')).toMatchObject([
      { data: { overdue: true } },
    ]);
    expect(receiver.received).toHaveLength(1);
    await cancelRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId });
  });
});
