import express, { type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { networkOf } from './caller-network.ts';
import { HttpProblem } from './problem.ts';
import type { Body } from './route.ts';

/** A call whose exact bytes count, read only when somebody wants to know them. */
export interface RawCall {
  /** The value of a header by its name in small letters; undefined when it is missing, null when it is empty or comes twice. */
  readonly header: (name: string) => string | null | undefined;
  /** Whom the call is counted for. */
  readonly network: string;
  /** @throws HttpProblem BODY_TOO_LARGE; errors of the body parser, which problemOf knows */
  readonly bytes: (maxBytes: number) => Promise<Uint8Array>;
}

/** A body that is signed as it is: it is neither decompressed nor parsed. */
export const rawBody: Body<RawCall> = {
  required: true,
  description: 'What the source sends, as it sends it: its exact bytes are signed. Not compressed.',
  content: { '*/*': z.unknown() },
  problems: ['BODY_MALFORMED', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'],
  read: (req, res) =>
    Promise.resolve({
      header: (name) => onlyHeader(req.rawHeaders, name),
      network: networkOf(req.ip),
      bytes: (maxBytes) => readBytes(req, res, maxBytes),
    }),
};

/** Node joins some headers that come twice, and drops the second of others: either would hide that there were two. */
function onlyHeader(rawHeaders: readonly string[], name: string): string | null | undefined {
  const values = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
  const [value] = values;
  return values.length > 1 || value === '' ? null : value;
}

/** Made once for each limit, and there is one. */
const readers = new Map<number, RequestHandler>();
function readerOf(maxBytes: number): RequestHandler {
  const known = readers.get(maxBytes);
  if (known !== undefined) return known;
  const reader: RequestHandler = express.raw({ limit: maxBytes, inflate: false, type: () => true });
  readers.set(maxBytes, reader);
  return reader;
}

async function readBytes(req: Request, res: Response, maxBytes: number): Promise<Uint8Array> {
  const read = readerOf(maxBytes);
  await new Promise<void>((resolve, reject) => {
    read(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else if (isTooLarge(error)) reject(tooLarge(maxBytes));
      else reject(error instanceof Error ? error : new Error('the body was not read'));
    });
  });
  const body: unknown = req.body;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'type' in error && error.type === 'entity.too.large';
}

function tooLarge(maxBytes: number): HttpProblem {
  return new HttpProblem('BODY_TOO_LARGE', `The body may have at most ${maxBytes} bytes.`);
}
