import { once } from 'node:events';
import net from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createOpenReplayClient } from '../../src/openreplay/client.ts';
import type { OpenReplayClient } from '../../src/openreplay/client.ts';
import { startRawServer } from '../support/http-server.ts';

const USER = { projectKey: 'aProjectKeyOfTwentyC', userId: 'bob-the-secret' };
const JOB_ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 39\r\n\r\n{"data":{"jobId":7,"status":"failed"}}\n';
const CONNECT_MS = 150;
const RESPONSE_MS = 250;

const opened: (() => Promise<void> | void)[] = [];
const surprises: unknown[] = [];
const noteSurprise = (error: unknown) => surprises.push(error);

beforeEach(() => {
  surprises.length = 0;
  process.on('unhandledRejection', noteSurprise);
  process.on('uncaughtException', noteSurprise);
});

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  // What a call leaves behind may only surface after its connection is gone.
  await sleep(10);
  process.off('unhandledRejection', noteSurprise);
  process.off('uncaughtException', noteSurprise);
  expect(surprises).toEqual([]);
});

function clientAt(baseUrl: string): OpenReplayClient {
  const client = createOpenReplayClient({
    baseUrl,
    apiKey: 'the-key-of-the-organization',
    connectTimeoutMs: CONNECT_MS,
    responseTimeoutMs: RESPONSE_MS,
    maxBodyBytes: 100_000,
    maxSockets: 2,
  });
  opened.push(() => {
    client.close();
  });
  return client;
}

/** A client of a server that does `react` for each chunk it gets. */
async function clientOf(
  react: (socket: Socket, chunk: string) => void,
  scheme = 'http',
): Promise<OpenReplayClient> {
  const server = await startRawServer((socket) => {
    socket.on('data', (chunk) => {
      react(socket, String(chunk));
    });
  });
  opened.push(() => server.close());
  return clientAt(server.origin.replace('http', scheme));
}

function drip(socket: Socket, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), 20);
  socket.once('close', () => {
    clearInterval(timer);
  });
}

function flood(socket: Socket): void {
  const pour = () => {
    while (!socket.destroyed && socket.write('x'.repeat(65_536))) continue;
  };
  socket.on('drain', pour);
  pour();
}

const head = (status: string, ...headers: string[]) =>
  [`HTTP/1.1 ${status}`, ...headers, '', ''].join('\r\n');
const reset = { kind: 'no_answer', reason: 'reset' };
const timeout = { kind: 'no_answer', reason: 'timeout' };

const behaviours: Readonly<Record<string, readonly [(socket: Socket) => void, object]>> = {
  'garbage bytes': [(socket) => socket.end(Buffer.from([0, 1, 2, 255, 254, 10, 13])), reset],
  'HTML without a status line': [(socket) => socket.end('<html>bob-the-secret</html>'), reset],
  'a closed socket': [(socket) => socket.end(), reset],
  'a destroyed socket': [(socket) => socket.destroy(), reset],
  'a reset socket': [(socket) => socket.resetAndDestroy(), reset],
  'a socket cut in the head': [(socket) => socket.end('HTTP/1.1 200 OK\r\nconte'), reset],
  'a socket cut in the body': [
    (socket) => socket.end(`${head('200 OK', 'content-length: 50')}{"data":`),
    reset,
  ],
  'a socket cut in a chunk': [
    (socket) => socket.end(`${head('200 OK', 'transfer-encoding: chunked')}9\r\n{"da`),
    reset,
  ],
  'a cut body of an error': [(socket) => socket.end(`${head('500 Oops', 'content-length: 50')}x`), reset],
  'a content length too long': [(socket) => socket.end(JOB_ANSWER.replace('39', '40')), reset],
  'a content length that is none': [(socket) => socket.end(JOB_ANSWER.replace('39', 'many')), reset],
  'two content lengths': [(socket) => socket.end(JOB_ANSWER.replace('39', '39\r\ncontent-length: 5')), reset],
  'another protocol': [
    (socket) => socket.write(head('101 Switch', 'connection: upgrade', 'upgrade: x')),
    reset,
  ],
  'a head without end': [
    (socket) => {
      socket.write(head('200 OK'));
      flood(socket);
    },
    { kind: 'unreadable', status: 200 },
  ],
  'headers without end': [
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      flood(socket);
    },
    reset,
  ],
  silence: [() => undefined, timeout],
  'a slow head': [
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      drip(socket, 'x: y\r\n');
    },
    timeout,
  ],
  'a slow body': [
    (socket) => {
      socket.write(head('200 OK', 'content-length: 90000'));
      drip(socket, ' ');
    },
    timeout,
  ],
  'a body that stops': [(socket) => socket.write(head('200 OK', 'content-length: 90000')), timeout],
  'endless interim answers': [
    (socket) => {
      drip(socket, head('103 Early'));
    },
    timeout,
  ],
};

describe('a server that sends', () => {
  it.each(Object.entries(behaviours))('%s', async (_what, [react, failure]) => {
    let requests = 0;
    const client = await clientOf((socket, chunk) => {
      requests += /^(?:DELETE|POST) /.test(chunk) ? 1 : 0;
      react(socket);
    });
    const start = performance.now();
    const outcome = await client.deleteUser(USER);
    expect(performance.now() - start).toBeLessThan(CONNECT_MS + RESPONSE_MS + 200);
    expect(outcome).toStrictEqual({ ok: false, failure });
    const query = { limit: 1, page: 1, startTimestamp: 946_684_800_000, endTimestamp: 946_684_800_001 };
    expect(await client.listUserSessions(USER, query)).toStrictEqual({ ok: false, failure });
    expect(requests).toBe(2);
  });

  it('an endless body is read no further than the cap', async () => {
    let sent = 0;
    const closed: Promise<unknown>[] = [];
    const client = await clientOf((socket) => {
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.write(head('200 OK'));
      socket.on('close', () => (sent += socket.bytesWritten));
      flood(socket);
    });
    expect(await client.deleteUser(USER)).toStrictEqual({
      ok: false,
      failure: { kind: 'unreadable', status: 200 },
    });
    await Promise.all(closed);
    // The cap is 100 kB; what lies in the buffers of both kernels comes on top.
    expect(sent).toBeLessThan(20_000_000);
  });

  it('an answer after interim ones is understood', async () => {
    const client = await clientOf((socket) =>
      socket.write(`${head('100 Continue')}${head('103 Early')}${JOB_ANSWER}`),
    );
    expect(await client.deleteUser(USER)).toMatchObject({ ok: true, value: { jobId: '7' } });
  });

  it('one answer too many: the next call does not take it for its own', async () => {
    let requests = 0;
    const client = await clientOf((socket) => {
      requests += 1;
      socket.write(JOB_ANSWER.replace('7', String(requests)));
      socket.write(JOB_ANSWER.replace('7', '9'));
      setTimeout(() => socket.write(JOB_ANSWER.replace('7', '8')), 20);
    });
    expect(await client.deleteUser(USER)).toMatchObject({ ok: true, value: { jobId: '1' } });
    await sleep(60);
    const second = await client.deleteUser(USER);
    expect(second.ok ? second.value.jobId : second.failure.kind).not.toMatch(/^[89]$/);
  });
});

describe('a kept connection that the server closes at the moment of reuse', () => {
  it.each(['end', 'destroy', 'resetAndDestroy'] as const)(
    'by %s ends the call, and nothing is sent again',
    async (how) => {
      const received: string[] = [];
      const client = await clientOf((socket, chunk) => {
        received.push(chunk.slice(0, chunk.indexOf(' ')));
        if (received.length === 1) socket.write(JOB_ANSWER);
        else socket[how]();
      });
      expect(await client.getJob({ projectKey: 'key', jobId: '7' })).toMatchObject({ ok: true });
      expect(await client.deleteUser(USER)).toStrictEqual({ ok: false, failure: reset });
      await sleep(50);
      expect(received).toEqual(['GET', 'DELETE']);
    },
  );

  it('is not reused once it is known to be closed', async () => {
    const closings: Promise<unknown>[] = [];
    const server = await startRawServer((socket) => {
      closings.push(once(socket, 'close'));
      socket.on('data', () => socket.end(JOB_ANSWER));
    });
    opened.push(() => server.close());
    const client = clientAt(server.origin);
    for (let call = 0; call < 3; call += 1) {
      expect(await client.deleteUser(USER)).toMatchObject({ ok: true });
      // A server's socket closes when the client has closed its own, so by then the client knows.
      await closings.at(-1);
    }
    expect(closings).toHaveLength(3);
  });
});

describe('a connection that never stands', () => {
  const unreachable = { ok: false, failure: { kind: 'unreachable' } };

  it('because nobody listens', async () => {
    const server = await startRawServer(() => undefined);
    await server.close();
    expect(await clientAt(server.origin).deleteUser(USER)).toStrictEqual(unreachable);
    expect(await clientAt(server.origin.replace('http', 'https')).deleteUser(USER)).toStrictEqual(
      unreachable,
    );
  });

  it('because the name does not exist', async () => {
    expect(await clientAt('http://no-such-host.invalid').deleteUser(USER)).toStrictEqual(unreachable);
  });

  it('because the server speaks no TLS', async () => {
    const client = await clientOf((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'https');
    expect(await client.deleteUser(USER)).toStrictEqual(unreachable);
  });

  it('because TLS is never agreed', async () => {
    const client = await clientOf(() => undefined, 'https');
    const start = performance.now();
    expect(await client.deleteUser(USER)).toStrictEqual(unreachable);
    expect(performance.now() - start).toBeLessThan(CONNECT_MS + 200);
  });

  it('because the server closes in the middle of TLS', async () => {
    const client = await clientOf((socket) => socket.destroy(), 'https');
    expect(await client.deleteUser(USER)).toStrictEqual(unreachable);
  });
});

describe('close', () => {
  it('ends calls under way and leaves no connection', async () => {
    const sockets: net.Socket[] = [];
    const server = await startRawServer((socket) => {
      sockets.push(socket);
      socket.resume();
    });
    opened.push(() => server.close());
    const client = clientAt(server.origin);
    const call = client.deleteUser(USER);
    await sleep(50);
    client.close();
    expect(await call).toStrictEqual({ ok: false, failure: reset });
    await sleep(20);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
  });
});
