import { open, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

const ROTATE_ABOVE_BYTES = 10 * 1024 * 1024;
const SHOWN_LINES = 12;

/** An open log file and where its next line begins, in bytes. */
export interface OpenLog {
  readonly handle: FileHandle;
  readonly start: number;
}

/** Opens Postgres's log for appending (mode 0600). One of more than 10 MiB becomes `<name>.1` first. */
export async function openLog(logFile: string): Promise<OpenLog> {
  const found = await stat(logFile).catch(() => undefined);
  // Another process may rotate in the same instant: either way there is an old and a new file.
  if (found !== undefined && found.size > ROTATE_ABOVE_BYTES) {
    await rename(logFile, `${logFile}.1`).catch(() => undefined);
  }
  const handle = await open(logFile, 'a', 0o600);
  return { handle, start: (await handle.stat()).size };
}

/** The last lines written to the log since `start`. */
export async function readLogSince(logFile: string, start: number): Promise<string> {
  const handle = await open(logFile, 'r');
  try {
    const length = Math.max(0, (await handle.stat()).size - start);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, start);
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-SHOWN_LINES).join('\n');
  } finally {
    await handle.close();
  }
}
