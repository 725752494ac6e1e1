import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import express, { type Response } from 'express';
import { startHttpServer, type RunningHttpServer } from '../../src/http/server.ts';

const running: RunningHttpServer[] = [];
const agent = new http.Agent({ keepAlive: true });

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop(0)));
  agent.destroy();
});

/** Longer than a test may take: a stop that waits for it fails the test, however slow the machine is. */
const FOREVER_MS = 600_000;

/** More than the sockets' buffers hold. */
const LONG = 30_000_000;

/** A server that answers /quick and /long at once and holds each answer of /slow until it is told to. */
async function start(): Promise<{ server: RunningHttpServer; held: Response[] }> {
  const held: Response[] = [];
  const app = express();
  app.get('/quick', (_req, res) => {
    res.send('quick');
  });
  app.get('/long', (_req, res) => {
    res.send('x'.repeat(LONG));
  });
  app.get('/slow', (_req, res) => {
    held.push(res);
  });
  const server = await startHttpServer({ app, host: '127.0.0.1', port: 0 });
  running.push(server);
  return { server, held };
}

/** Over a kept connection where there is one; with `false`, over a new one. */
async function get(port: number, path: string, over: http.Agent | false = agent): Promise<string> {
  let text = '';
  for await (const chunk of await begin(port, path, over)) text += String(chunk);
  return text;
}

/** An answer of which nothing but the head was read. */
function begin(port: number, path: string, over: http.Agent | false = false): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path, agent: over }, resolve);
    request.on('error', reject);
  });
}

/**
 * Over a connection of its own: the agent may not know yet that a kept one was closed, and what it sends over that
 * one is reset rather than refused.
 */
async function expectRefused(port: number): Promise<void> {
  await expect(get(port, '/quick', false)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 500) throw new Error('waited in vain');
    await sleep(5);
  }
}

describe('the HTTP server', () => {
  it('says which port it took', async () => {
    const { server } = await start();
    expect(await get(server.port, '/quick')).toBe('quick');
  });

  it('rejects when the port is taken', async () => {
    const { server } = await start();
    const second = startHttpServer({ app: express(), host: '127.0.0.1', port: server.port });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('stops at once when nothing is in flight, kept connections or not', async () => {
    const { server } = await start();
    await get(server.port, '/quick');
    await server.stop(FOREVER_MS);
    await expectRefused(server.port);
  });

  it('lets a request in flight finish, takes no new one, and then ends the kept connection', async () => {
    const { server, held } = await start();
    const slow = get(server.port, '/slow');
    await until(() => held.length === 1);
    let stopped = false;
    const stop = server.stop(FOREVER_MS).then(() => {
      stopped = true;
    });
    await expectRefused(server.port);
    expect(stopped).toBe(false);
    held[0]?.send('in the end');
    expect(await slow).toBe('in the end');
    await stop;
  });

  it('sends a long answer to its end, however slowly it is read', async () => {
    const { server } = await start();
    const slow = await begin(server.port, '/long');
    // Its connection is not in use, and closed all the same.
    await get(server.port, '/quick');
    const stop = server.stop(FOREVER_MS);
    await expectRefused(server.port);
    let length = 0;
    for await (const chunk of slow) length += String(chunk).length;
    expect(length).toBe(LONG);
    await stop;
  });

  it('takes what comes over a kept connection while it stops, and then ends that, too', async () => {
    const { server, held } = await start();
    await get(server.port, '/quick');
    await until(() => Object.keys(agent.freeSockets).length === 1);
    const slow = get(server.port, '/slow', false);
    await until(() => held.length === 1);
    const stop = server.stop(FOREVER_MS);
    const last = await begin(server.port, '/quick', agent);
    expect(last.headers.connection).toBe('close');
    last.resume();
    held[0]?.send('in the end');
    expect(await slow).toBe('in the end');
    await stop;
  });

  it('cuts what is left after the grace', async () => {
    const { server, held } = await start();
    const slow = expect(get(server.port, '/slow')).rejects.toMatchObject({ code: 'ECONNRESET' });
    const silent = net.connect(server.port, '127.0.0.1');
    silent.on('error', () => undefined);
    const closed = new Promise((resolve) => silent.once('close', resolve));
    await until(() => held.length === 1);
    await server.stop(100);
    await Promise.all([slow, closed]);
  });

  it('may be stopped twice', async () => {
    const { server } = await start();
    await Promise.all([server.stop(1_000), server.stop(1_000)]);
    await server.stop(1_000);
  });
});
