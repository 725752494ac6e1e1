import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { commandError } from './exit-status.ts';
import type { Io } from './io.ts';

const MAX_BYTES = 64 * 1024;

/**
 * A text that should not stand on a command line, where shell histories and process lists keep it: `-` stands for
 * standard input, and `file` names a file. One line end at the end belongs to the file and not to the text, as does a
 * byte order mark; everything else is kept exactly. Undefined when neither is given.
 *
 * @throws CommandError USAGE_INVALID for both at once, a file that cannot be read, or bytes that are not UTF-8
 */
export async function privateText(
  name: string,
  given: { readonly value?: string | undefined; readonly file?: string | undefined },
  io: Io,
): Promise<string | undefined> {
  const { value, file } = given;
  if (value !== undefined && file !== undefined) {
    throw commandError('USAGE_INVALID', `--${name} and --${name}-file: expected only one of them`);
  }
  if (file !== undefined) return textOf(name, await bytesOfFile(name, resolve(io.cwd, file)));
  return value === '-' ? textOf(name, await bytesOf(name, io.stdin)) : value;
}

async function bytesOfFile(name: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw commandError('USAGE_INVALID', `--${name}-file: ${path} cannot be read`, error);
  }
}

async function bytesOf(name: string, stream: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = bytesIn(chunk);
    size += bytes.length;
    if (size > MAX_BYTES)
      throw commandError('USAGE_INVALID', `--${name}: expected at most ${MAX_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** A stream that somebody has set to an encoding gives texts. */
function bytesIn(chunk: unknown): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk));
}

function textOf(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch (error) {
    throw commandError('USAGE_INVALID', `--${name}: expected UTF-8`, error);
  }
}

/**
 * An identifier of a person, read as a private text. More than one line is a list or a mistake, and an empty one is
 * nobody: neither is sent.
 */
export async function identifier(...from: Parameters<typeof privateText>): Promise<string | undefined> {
  const text = await privateText(...from);
  if (text === undefined) return undefined;
  const [name] = from;
  if (text === '')
    throw commandError('USAGE_INVALID', `--${name}: expected an identifier, and there is none`);
  if (/[\r\n]/.test(text)) throw commandError('USAGE_INVALID', `--${name}: expected one line`);
  return text;
}
