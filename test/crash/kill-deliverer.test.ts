import { randomBytes } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { createCallback } from '../../src/app/callbacks.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import { startHttpServer, type RunningServer } from '../support/http-server.ts';
import { startLethe, stageEnvironment, type LetheProcess } from '../support/lethe-process.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

/** kill -9 of the worker between a call and its commit: what was sent goes out again, and says that it is the same. */
let stage: Stage;
let env: Record<string, string>;
let server: RunningServer;
const started: LetheProcess[] = [];
const callbacks: { headers: IncomingHttpHeaders; body: string }[] = [];
const tickets: { call: string; body: string }[] = [];
/** Called with each call that came whole, before it is answered. */
let onCall: (call: string) => Promise<void> = () => Promise.resolve();

beforeAll(async () => {
  const masterKey = randomBytes(32);
  stage = await openStage({
    backend: { name: 'postgres', redisUrl: undefined },
    masterKey,
    withoutWorker: true,
    rules: [{ regulations: ['gdpr'], approval: 'one' }],
  });
  server = await startHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const body = Buffer.concat(chunks).toString('utf8');
      if (url === '/hook') callbacks.push({ headers, body });
      else tickets.push({ call: `${method} ${url}`, body });
      const comments = tickets
        .filter(({ call }) => call.startsWith('PUT'))
        .map((one) => ({ body: one.body }));
      void onCall(url).then(() => response.end(JSON.stringify({ comments })));
    });
  });
  env = await stageEnvironment(stage, masterKey);
  await appendFile(
    env['LETHE_CONFIG'] ?? '',
    `outgoing: { hosts: ["127.0.0.1"], networks: [127.0.0.1/32], plainHttp: true, connectTimeoutMs: 200, responseTimeoutMs: 400 }
replies: [{ name: support, kind: zendesk, url: "${server.origin}", user: me@example.com, token: secret }]
`,
  );
});
afterAll(async () => {
  await Promise.all(started.map((process) => process.kill()));
  await server.close();
  await stage.close();
});

function startWorker(): LetheProcess {
  const worker = startLethe('worker', env);
  started.push(worker);
  return worker;
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}: ${started.at(-1)?.output()}`);
    await sleep(25);
  }
}
const settled = async () =>
  (await stage.database.pool.query("SELECT FROM deliveries WHERE state = 'waiting'")).rowCount === 0;

/** Starts a worker and kills it once the call has come, before it is answered. */
async function dieAt(path: string): Promise<void> {
  const victim = startWorker();
  const died = new Promise<void>((resolve) => {
    onCall = async (call) => {
      if (!call.startsWith(path)) return;
      onCall = () => Promise.resolve();
      await victim.kill();
      resolve();
    };
  });
  await died;
}

async function submit(reference?: string): Promise<void> {
  const what = { subject: { userId: `jane ${Math.random()}` }, projectKeys: [PROJECT] };
  await submitRequest(stage.deps, reference === undefined ? what : { ...what, reference }, {
    apiKeyId: stage.apiKeyId,
    idempotencyKey: undefined,
    channel: 'api',
  });
}

it('a callback gets the same message with the same webhook-id, and both are signed', async () => {
  const wish = { name: 'x', url: `${server.origin}/hook`, events: ['request.received'] as const };
  const { secret, id } = await createCallback(stage.deps, wish, stage.apiKeyId);
  await submit();
  await dieAt('/hook');
  expect(callbacks).toHaveLength(1);
  startWorker();
  await until('its end', settled);
  expect(callbacks).toHaveLength(2);
  const ids = callbacks.map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids).size).toBe(1);
  expect(new Set(callbacks.map(({ body }) => body)).size).toBe(1);
  for (const { headers, body } of callbacks) {
    const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    expect(new Webhook(secret).verify(body, given)).toMatchObject({ type: 'request.received' });
  }
  await started.at(-1)?.stop();
  await stage.database.pool.query('DELETE FROM callbacks WHERE id = $1', [id]);
});

it('a ticket is looked at first, and gets no second comment', async () => {
  await submit('4711');
  await dieAt('/api/v2/tickets/4711.json');
  startWorker();
  await until('its end', settled);
  expect(tickets.map(({ call }) => call)).toEqual([
    'PUT /api/v2/tickets/4711.json',
    'GET /api/v2/tickets/4711/comments.json?sort_order=desc&per_page=100',
  ]);
  for (const process of started) expect(process.output()).not.toContain('jane');
});
