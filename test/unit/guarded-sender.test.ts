import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SendOutcome } from '../../src/app/ports/notify.ts';
import type { ResolveAll } from '../../src/notify/guarded-lookup.ts';
import { createSender, type SenderOptions } from '../../src/notify/sender.ts';
import { startHttpServer, startRawServer } from '../support/http-server.ts';

const opened: (() => Promise<void>)[] = [];
const surprises: unknown[] = [];
const noteSurprise = (error: unknown) => surprises.push(error);

beforeEach(() => {
  surprises.length = 0;
  process.on('unhandledRejection', noteSurprise);
  process.on('uncaughtException', noteSurprise);
});

afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  // What a call leaves behind may only surface after its connection is gone.
  await sleep(10);
  process.off('unhandledRejection', noteSurprise);
  process.off('uncaughtException', noteSurprise);
  expect(surprises).toEqual([]);
});

const LOOPBACK = ['127.0.0.0/8'];

const senderWith = (changes: Partial<SenderOptions>) =>
  createSender({
    hosts: ['*'],
    networks: [],
    plainHttp: true,
    connectTimeoutMs: 400,
    responseTimeoutMs: 400,
    maxAnswerBytes: 1_000,
    ...changes,
  });

/** A resolver that gives these addresses in turn, the last one for ever after. */
function resolverOf(...turns: readonly (readonly string[])[]): ResolveAll & { readonly asked: string[] } {
  const asked: string[] = [];
  const resolve: ResolveAll = (hostname, _options, callback) => {
    const addresses = turns[Math.min(asked.length, turns.length - 1)] ?? [];
    asked.push(hostname);
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(() => {
      callback(null, found);
    });
  };
  return Object.assign(resolve, { asked });
}

/** A server that counts who comes, at the level of TCP: even a connection without a request is seen. */
async function startTarget(listener: RequestListener = (_request, response) => response.end('ok')) {
  const seen = { connections: 0, requests: 0 };
  const server = await startRawServer(() => {
    seen.connections += 1;
  });
  const web = await startHttpServer((request, response) => {
    seen.requests += 1;
    listener(request, response);
  });
  opened.push(
    () => server.close(),
    () => web.close(),
  );
  return { seen, rawPort: server.port, port: web.port, origin: web.origin };
}

const post = (url: string) => ({ method: 'POST' as const, url, body: Buffer.from('{}') });

describe('targets that are never called', () => {
  // Each leads to this machine, or would on a machine of a cloud, in another way of writing it.
  it.each([
    '127.0.0.1',
    '127.1',
    '127.255.255.254',
    '0.0.0.0',
    '0',
    '2130706433',
    '017700000001',
    '0x7f000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '１２７.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '169.254.169.254',
    '2852039166',
    '100.64.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '192.0.2.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[::127.0.0.1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:8.8.8.8]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
    '[fe80::1]',
    '[fec0::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
  ])('the address %s', async (host) => {
    const target = await startTarget();
    for (const port of [target.port, target.rawPort]) {
      expect(await senderWith({}).send(post(`http://${host}:${port}/`))).toEqual({
        kind: 'refused',
        reason: 'address_not_allowed',
      });
    }
    expect(target.seen).toEqual({ connections: 0, requests: 0 });
  });

  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['169.254.169.254']],
    [['fe80::1%lo']],
    // Which of several is tried is up to chance, and to who is faster.
    [['93.184.216.34', '127.0.0.1']],
    [['127.0.0.1', '93.184.216.34']],
  ])('a name with the addresses %j', async (addresses) => {
    const target = await startTarget();
    const sender = senderWith({ resolve: resolverOf(addresses) });
    expect(await sender.send(post(`http://hooks.example.com:${target.port}/`))).toEqual({
      kind: 'refused',
      reason: 'address_not_allowed',
    });
    expect(target.seen.requests).toBe(0);
  });

  it('a name whose address was public at first and is private later', async () => {
    const target = await startTarget();
    // 127.0.0.2 stands for the public one, so that no test leaves this machine; nobody listens there.
    const resolve = resolverOf(['127.0.0.2'], ['127.0.0.1']);
    const sender = senderWith({ resolve, networks: ['127.0.0.2/32'] });
    const url = `http://hooks.example.com:${target.port}/`;
    expect(sender.refusalOf(url)).toBeUndefined();
    expect(await sender.send(post(url))).toEqual({ kind: 'unreachable' });
    expect(await sender.send(post(url))).toEqual({ kind: 'refused', reason: 'address_not_allowed' });
    expect(resolve.asked).toEqual(['hooks.example.com', 'hooks.example.com']);
    expect(target.seen.requests).toBe(0);
  });

  it('the real localhost', async () => {
    const target = await startTarget();
    expect(await senderWith({}).send(post(`http://localhost:${target.port}/`))).toEqual({
      kind: 'refused',
      reason: 'address_not_allowed',
    });
    expect(target.seen.requests).toBe(0);
  });

  it.each([301, 302, 303, 307, 308])('where a %i leads', async (status) => {
    const end = await startTarget();
    const start = await startTarget((_request, response) => {
      response.writeHead(status, { location: `${end.origin}/` }).end();
    });
    const outcome = await senderWith({ networks: LOOPBACK }).send(post(start.origin));
    expect(outcome).toMatchObject({ kind: 'answered', status });
    expect([start.seen.requests, end.seen.requests]).toEqual([1, 0]);
  });

  it.each([
    ['http://hooks.example.com/', {}, 'host_not_allowed'],
    ['http://evil-example.org/', { hosts: ['*.example.org'] }, 'host_not_allowed'],
    ['http://example.org/', { hosts: ['*.example.org'] }, 'host_not_allowed'],
    ['http://example.org.evil.net/', { hosts: ['example.org'] }, 'host_not_allowed'],
    ['http://a.example.org/', { hosts: ['example.org'] }, 'host_not_allowed'],
    ['http://example.org/', { hosts: ['example.org'], plainHttp: false }, 'not_https'],
    ['http://me:pw@example.org/', { hosts: ['example.org'] }, 'has_credentials'],
    ['ftp://example.org/', { hosts: ['example.org'] }, 'not_a_url'],
    ['file:///etc/passwd', { hosts: ['*'] }, 'not_a_url'],
    ['example.org', { hosts: ['*'] }, 'not_a_url'],
  ] as const)('%s with %j', async (url, rules, reason) => {
    const resolve = resolverOf(['127.0.0.1']);
    const sender = senderWith({ hosts: [], ...rules, resolve });
    expect(sender.refusalOf(url)).toBe(reason);
    expect(await sender.send(post(url))).toEqual({ kind: 'refused', reason });
    expect(resolve.asked).toEqual([]);
  });

  it('names are compared without case, a dot at the end or a port', () => {
    const sender = senderWith({ hosts: ['Example.org', '*.example.net'] });
    for (const url of ['https://EXAMPLE.ORG./x', 'https://example.org:8443/', 'https://a.b.example.net/'])
      expect(sender.refusalOf(url)).toBeUndefined();
  });
});

describe('what a call brings', () => {
  const sender = senderWith({ networks: LOOPBACK });

  it('sends method, path, headers and exact bytes, and gives the answer', async () => {
    const received: (Pick<IncomingMessage, 'method' | 'url' | 'headers'> & { body: Buffer })[] = [];
    const target = await startTarget((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        received.push({ method, url, headers, body: Buffer.concat(chunks) });
        response.writeHead(429, { 'retry-after': '7' }).end('later');
      });
    });
    const body = Buffer.from([0x7b, 0x22, 0xc3, 0xa9, 0x22, 0x7d]);
    const call = {
      method: 'PUT' as const,
      url: `${target.origin}/a%2Fb?c=d`,
      headers: { 'webhook-id': 'x' },
      body,
    };
    const answer: SendOutcome = { kind: 'answered', status: 429, retryAfter: '7', text: 'later' };
    expect(await sender.send(call)).toEqual(answer);
    expect(received).toMatchObject([
      { method: 'PUT', url: '/a%2Fb?c=d', headers: { 'webhook-id': 'x' }, body },
    ]);
    expect(await sender.send({ method: 'GET', url: target.origin })).toEqual(answer);
    expect(await sender.send({ method: 'POST', url: target.origin })).toEqual(answer);
    expect(received[2]).toMatchObject({ method: 'POST', body: Buffer.alloc(0) });
  });

  it('reads no more of an answer than it may', async () => {
    const target = await startTarget((_request, response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) continue;
      };
      response.on('drain', pour);
      pour();
    });
    expect(await sender.send(post(target.origin))).toEqual({
      kind: 'answered',
      status: 200,
      retryAfter: undefined,
      text: undefined,
    });
  });

  it('ends when the answer never comes, or never ends', async () => {
    const silent = await startTarget(() => undefined);
    expect(await sender.send(post(silent.origin))).toEqual({ kind: 'no_answer', reason: 'timeout' });
    const dripping = await startTarget((_request, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.once('close', () => {
        clearInterval(timer);
      });
    });
    expect(await sender.send(post(dripping.origin))).toEqual({ kind: 'no_answer', reason: 'timeout' });
  });

  it('tells a connection that was cut from one that never stood', async () => {
    const cutting = await startTarget((request) => request.socket.destroy());
    expect(await sender.send(post(cutting.origin))).toEqual({ kind: 'no_answer', reason: 'reset' });
    const gone = await startHttpServer(() => undefined);
    await gone.close();
    expect(await sender.send(post(gone.origin))).toEqual({ kind: 'unreachable' });
    // No TLS is spoken there: the request was never sent.
    expect(await sender.send(post(cutting.origin.replace('http', 'https')))).toEqual({ kind: 'unreachable' });
  });

  it('ends when a server changes the protocol', async () => {
    const raw = await startRawServer((socket) => {
      void once(socket, 'data').then(() =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      );
    });
    opened.push(() => raw.close());
    expect(await sender.send(post(raw.origin))).toMatchObject({ kind: 'no_answer' });
  });

  it('opens a connection for each call, so that each is judged', async () => {
    const ports = new Set<number | undefined>();
    const target = await startTarget((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    const resolve = resolverOf(['127.0.0.1']);
    const named = senderWith({ networks: LOOPBACK, resolve });
    for (let turn = 0; turn < 3; turn += 1) await named.send(post(`http://a.test:${target.port}/`));
    expect([ports.size, resolve.asked.length]).toEqual([3, 3]);
  });
});
