import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { JournalEntry } from '../app/ports/journal.ts';
import { dayOf, fileOf, listDays } from './journal-files.ts';
import { readLine } from './journal-line.ts';

/** A line that is none of a journal. */
export interface BrokenLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * Reads what was erased at or after `since`, the oldest file first, a line at a time.
 *
 * @param onBroken told of each line that cannot be read; reading goes on
 * @throws the file system's error where the folder cannot be read
 */
export async function* readJournal(
  directory: string,
  since: Date,
  onBroken: (broken: BrokenLine) => void,
): AsyncGenerator<JournalEntry> {
  // An entry is made just before its line is written: that may be another day's.
  const days = (await listDays(directory)).filter((day) => day >= dayOf(since));
  for (const day of days) {
    const file = fileOf(directory, day);
    let number = 0;
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      number += 1;
      if (text === '') continue;
      const entry = readLine(text);
      if (entry === undefined) onBroken({ file, line: number });
      else if (entry.at >= since) yield entry;
    }
  }
}
