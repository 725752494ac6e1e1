import { open, rename, rm, stat } from 'node:fs/promises';
import { commandError } from './exit-status.ts';

/** What cannot be written is found out before it is asked for. */
export async function requireFree(target: string): Promise<void> {
  const there = await stat(target).then(
    () => true,
    () => false,
  );
  if (there) throw commandError('USAGE_INVALID', `--out: ${target} is there already`);
}

/**
 * Writes a file as it is received: under another name until all of it is there, so that a file of the name that was given
 * is always whole; readable for its owner alone.
 *
 * @returns its length
 */
export async function receiveFile(target: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const part = `${target}.part`;
  const bytes = await received(part, chunks);
  await rename(part, target);
  return bytes;
}

async function received(part: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const file = await open(part, 'w', 0o600).catch((error: unknown) => {
    throw commandError('USAGE_INVALID', `--out: ${part} cannot be written`, error);
  });
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await file.sync();
    return bytes;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
