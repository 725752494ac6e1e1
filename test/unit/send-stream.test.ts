import http from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { sendStream, type AnswerStream } from '../../src/http/send-stream.ts';
import { startHttpServer, type RunningServer } from '../support/http-server.ts';

let server: RunningServer | undefined;
afterEach(async () => {
  await server?.close();
});

/** Sends `chunks` to whoever asks, and says how it ended. */
async function serve(chunks: () => AsyncIterable<Uint8Array>, sent: AnswerStream['sent']) {
  const ended: string[] = [];
  let settle: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const app = express();
  app.get('/', async (_req, res) => {
    const stream: AnswerStream = {
      chunks: chunks(),
      sent: async () => {
        await sent();
        ended.push('sent');
      },
      broken: () => {
        ended.push('broken');
        return Promise.resolve();
      },
    };
    await sendStream(res, stream)
      .catch(() => {
        ended.push('threw');
        res.destroy();
      })
      .finally(settle);
  });
  server = await startHttpServer((req, res) => {
    app(req, res);
  });
  return { ended, settled, port: server.port };
}

async function open(port: number): Promise<http.IncomingMessage> {
  const request = http.get({ host: '127.0.0.1', port, agent: false });
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
}

async function bodyOf(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

const nothing = () => Promise.resolve();
async function* few(): AsyncGenerator<Uint8Array, void, undefined> {
  await nothing();
  yield Buffer.from('a');
  yield Buffer.from('b');
}

describe('an answer that is sent as it is made', () => {
  it('ends only when what follows on it is done', async () => {
    let done = false;
    const { port, ended } = await serve(few, async () => {
      await nothing();
      done = true;
    });
    expect(await bodyOf(await open(port))).toBe('ab');
    expect([done, ended]).toEqual([true, ['sent']]);
  });

  it('has no end where that fails', async () => {
    const { port, ended, settled } = await serve(few, () => Promise.reject(new Error('no')));
    await expect(bodyOf(await open(port))).rejects.toThrow('aborted');
    await settled;
    expect(ended).toEqual(['broken', 'threw']);
  });

  it('has no end where the making of it fails', async () => {
    async function* half(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* few();
      throw new Error('no');
    }
    const { port, ended, settled } = await serve(half, nothing);
    await expect(bodyOf(await open(port))).rejects.toThrow('aborted');
    await settled;
    expect(ended).toEqual(['broken', 'threw']);
  });

  it('stops when its reader goes away', async () => {
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      await nothing();
      for (;;) yield Buffer.alloc(65_536);
    }
    const { port, ended, settled } = await serve(endless, nothing);
    (await open(port)).destroy();
    await settled;
    expect(ended).toEqual(['broken']);
  });
});
