import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** One file for each day, in UTC: `2026-11-25.jsonl`. */
const NAME = /^(\d{4}-\d{2}-\d{2})\.jsonl$/;

/** The day a time lies in, as files are named after it. */
export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

export function fileOf(directory: string, day: string): string {
  return join(directory, `${day}.jsonl`);
}

/** The days there are files of, the oldest first; other files are left alone. */
export async function listDays(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => NAME.exec(name)?.[1] ?? []).toSorted();
}
