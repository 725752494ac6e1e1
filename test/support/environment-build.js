import { mkdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildAll } from '../../build.js';

const ROOT = path.join(import.meta.dirname, '..', '..');
const LOCK = path.join(ROOT, 'dist', '.building');
const LOCK_TIMEOUT_MS = 60_000;

/** Builds dist/. Two runs at once in one checkout take turns. */
export async function buildOnce() {
  await mkdir(path.join(ROOT, 'dist'), { recursive: true });
  await lock();
  try {
    await buildAll();
  } finally {
    await rmdir(LOCK);
  }
}

async function lock() {
  for (;;) {
    try {
      await mkdir(LOCK);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const held = await stat(LOCK).catch(() => undefined);
    // Left by a run that was killed while it built.
    if (held !== undefined && Date.now() - held.mtimeMs > LOCK_TIMEOUT_MS)
      await rmdir(LOCK).catch(() => undefined);
    await sleep(100);
  }
}
