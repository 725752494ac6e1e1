import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LetheError } from './domain/errors.ts';

const MASTER_KEY_BYTES = 32;

/**
 * The master keys of the embedded default: one is made at the first start in the data directory, mode 0600. Whoever loses
 * this file loses every identifier that is still needed; whoever copies the directory has both. Of several lines the first
 * is the current key, and the others are still read.
 *
 * @returns 32 bytes each, and whether the file was made just now
 * @throws LetheError MASTER_KEY_INVALID when the file holds anything else; it is left as it is
 */
export async function localMasterKeys(
  directory: string,
): Promise<{ keys: readonly [Uint8Array, ...Uint8Array[]]; path: string; made: boolean }> {
  const path = join(directory, 'master-key');
  const made = await writeOnce(path, `${randomBytes(MASTER_KEY_BYTES).toString('base64')}\n`);
  return { keys: await readKeys(path), path, made };
}

async function readKeys(path: string): Promise<readonly [Uint8Array, ...Uint8Array[]]> {
  const [first = '', ...more] = (await readFile(path, 'utf8')).trim().split(/\s*\n\s*/);
  return [keyOf(first, path), ...more.map((line) => keyOf(line, path))];
}

function keyOf(text: string, path: string): Uint8Array {
  const key = Buffer.from(text, 'base64');
  // Node skips what is not base64, so only a key that is written back alike was read as it was meant.
  if (key.length === MASTER_KEY_BYTES && key.toString('base64') === text) return key;
  throw new LetheError(
    'MASTER_KEY_INVALID',
    `The file ${path} does not hold ${MASTER_KEY_BYTES} bytes in base64 on each line. Bring the right key back; only where nothing was sealed yet may the file be deleted, and a new key is made.`,
  );
}

/**
 * Writes a secret to a new file, mode 0600; false when there is one already. The file appears whole or not at all,
 * however many processes come at once and wherever one of them ends.
 */
export async function writeOnce(path: string, content: string): Promise<boolean> {
  if (existsSync(path)) return false;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await writeDurably(unfinished, content);
    if (!(await linkOnce(unfinished, path))) return false;
  } finally {
    await rm(unfinished, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Unlike a rename, a link never replaces what another process has put there meanwhile. */
async function linkOnce(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST')
      return false;
    throw error;
  }
}

/** The name must outlive a power cut as the bytes do: what is sealed from now on needs them. Windows opens no folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
