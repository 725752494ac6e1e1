import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ImportStoppedError } from '../app/import-source.ts';
import { liftBodyTime, limitBodyTime } from './body-time.ts';

export const FILE_BYTES_MAX = 128 * 1024 * 1024;
/** Of one row: as much as the body of a single submission. */
export const LINE_BYTES_MAX = 64 * 1024;
/** Without a byte for so long, an upload has broken off. */
const IDLE_MS = 30_000;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** A body of any length, as it comes in: nothing more is read from the caller until the last piece was dealt with. */
export interface Upload {
  /** Without a byte order mark. Throws an ImportStoppedError. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Of all bytes that were read so far. */
  sha256(): string;
}

/** @throws ImportStoppedError when it says itself that it is too long: nothing was read then */
export function openUpload(req: IncomingMessage): Upload {
  if (Number(req.headers['content-length'] ?? 0) > FILE_BYTES_MAX) throw tooLarge();
  const hash = createHash('sha256');
  return {
    chunks: withoutBom(chunksOf(req, (chunk) => hash.update(chunk))),
    sha256: () => hash.copy().digest('hex'),
  };
}

async function* chunksOf(req: IncomingMessage, seen: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  liftBodyTime(req);
  // The connection has to outlive an end before the end: the caller is told of it.
  const pieces: AsyncIterator<unknown> = req.iterator({ destroyOnReturn: false });
  let bytes = 0;
  try {
    for (;;) {
      const chunk = await nextOf(req, pieces);
      if (chunk === undefined) return;
      bytes += chunk.length;
      if (bytes > FILE_BYTES_MAX) throw tooLarge();
      seen(chunk);
      yield chunk;
    }
  } finally {
    await pieces.return?.();
    discardRest(req);
  }
}

async function nextOf(req: IncomingMessage, pieces: AsyncIterator<unknown>): Promise<Buffer | undefined> {
  const timer = setTimeout(() => req.destroy(), IDLE_MS);
  try {
    const piece: IteratorResult<unknown, unknown> = await pieces.next();
    if (piece.done === true) return undefined;
    if (Buffer.isBuffer(piece.value)) return piece.value;
    throw new TypeError('a body comes in buffers');
  } catch (cause) {
    throw new ImportStoppedError(
      'IMPORT_INTERRUPTED',
      'The upload broke off; what came before is taken in. Sent again, it goes on.',
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Most callers read no answer before they have sent everything. */
function discardRest(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return;
  limitBodyTime(req);
  req.resume();
}

async function* withoutBom(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < BOM.length) continue;
    yield head.subarray(0, BOM.length).equals(BOM) ? head.subarray(BOM.length) : head;
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield head;
}

function tooLarge(): ImportStoppedError {
  const message = `A file may have at most ${FILE_BYTES_MAX} bytes.`;
  return new ImportStoppedError('IMPORT_TOO_LARGE', message);
}

export function lineTooLong(line: number): ImportStoppedError {
  const message = `A row may have at most ${LINE_BYTES_MAX} bytes; the one at line ${line} has more. Those before it are taken in.`;
  return new ImportStoppedError('IMPORT_TOO_LARGE', message, { line });
}
