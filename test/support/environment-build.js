import { execFile } from 'node:child_process';
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = path.join(import.meta.dirname, '..', '..');
const INPUTS = ['src', 'workers', 'db', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
const LOCK = path.join(ROOT, 'dist', '.building');
const LOCK_TIMEOUT_MS = 120_000;

/** Compiles to dist/ when a source is newer than the last build. Two runs at once in one checkout take turns. */
export async function buildOnce() {
  await mkdir(path.join(ROOT, 'dist'), { recursive: true });
  await lock();
  try {
    if (await isFresh()) return;
    const output = await compile();
    // tsc writes its output in spite of type errors; judging those is the business of `npm run types`.
    if (output !== '') console.warn(`The build has type errors:\n${output}`);
  } finally {
    await rmdir(LOCK);
  }
}

function compile() {
  const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [tsc, '-p', 'tsconfig.build.json'],
      { cwd: ROOT, env: {} },
      (error, stdout) => {
        if (error !== null && stdout === '') reject(error);
        else resolve(stdout.trim());
      },
    );
  });
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

async function isFresh() {
  const built = await stat(path.join(ROOT, 'dist', '.tsbuildinfo')).catch(() => undefined);
  if (built === undefined) return false;
  const changes = await Promise.all(INPUTS.map((input) => newestChange(path.join(ROOT, input))));
  return Math.max(...changes) < built.mtimeMs;
}

async function newestChange(file) {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  const entries = await readdir(file);
  const changes = await Promise.all(entries.map((entry) => newestChange(path.join(file, entry))));
  // The folder's own time changes when a file in it is deleted.
  return Math.max(found.mtimeMs, ...changes);
}
