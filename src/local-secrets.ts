import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The master key of the embedded default: made at the first start in the data directory, mode 0600. Whoever loses
 * this file loses every identifier that is still needed; whoever copies the directory has both.
 *
 * @returns 32 bytes, and whether it was made just now
 */
export async function localMasterKey(
  directory: string,
): Promise<{ key: Uint8Array; path: string; made: boolean }> {
  const path = join(directory, 'master-key');
  const made = await writeOnce(path, `${randomBytes(32).toString('base64')}\n`);
  const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
  return { key, path, made };
}

/** Writes a secret to a new file, mode 0600; false when there is one already. */
export async function writeOnce(path: string, content: string): Promise<boolean> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST')
      return false;
    throw error;
  }
}
