import { existsSync } from 'node:fs';
import { open, mkdir, rm, type FileHandle } from 'node:fs/promises';
import type { Journal, JournalEntry } from '../app/ports/journal.ts';
import { LetheError } from '../domain/errors.ts';
import { dayOf, fileOf, listDays } from './journal-files.ts';
import { writeLine } from './journal-line.ts';

const DAY_MS = 86_400_000;

export interface FileJournalOptions {
  /** Made where it is missing, mode 0700. */
  readonly directory: string;
  /** Files of days longer ago are deleted: what they hold is personal data. */
  readonly keepDays: number;
}

/** The journal cannot be written, so nothing may be called erased. Code JOURNAL_UNWRITABLE. */
export class JournalUnwritableError extends LetheError {
  constructor(directory: string, cause: unknown) {
    super('JOURNAL_UNWRITABLE', `The journal in ${directory} cannot be written.`, { cause });
  }
}

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A journal in files, append-only, one for each day. Any number of processes may write to the same folder: each write is
 * of whole lines, at the end. Entries that come while a write is under way go to the disk together.
 */
export function createFileJournal({ directory, keepDays }: FileJournalOptions): Journal {
  let waiting: Waiting[] = [];
  let writing = false;
  let tidied = '';

  /** Once a day is enough: files are of days. */
  const tidyOnce = async (today: string): Promise<void> => {
    if (today !== tidied) await tidy(directory, keepDays);
    tidied = today;
  };

  const flush = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const today = dayOf(new Date());
        await writeLines(directory, today, batch.map(({ line }) => line).join(''));
        await tidyOnce(today);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(new JournalUnwritableError(directory, error));
      }
    }
    writing = false;
  };

  return {
    append: (entry: JournalEntry) =>
      new Promise((resolve, reject) => {
        waiting.push({ line: writeLine(entry), resolve, reject });
        void flush();
      }),
    tidy: async () => {
      try {
        await tidyOnce(dayOf(new Date()));
      } catch (cause) {
        throw new JournalUnwritableError(directory, cause);
      }
    },
  };
}

async function writeLines(directory: string, day: string, lines: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = await open(fileOf(directory, day), 'a+', 0o600);
  try {
    await file.appendFile((await endsInLine(file)) ? lines : `\n${lines}`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A write that a full disk or a crash cut short must not take the next line along. */
async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

async function tidy(directory: string, keepDays: number): Promise<void> {
  const oldest = dayOf(new Date(Date.now() - keepDays * DAY_MS));
  if (!existsSync(directory)) return;
  const old = (await listDays(directory)).filter((day) => day < oldest);
  for (const day of old) await rm(fileOf(directory, day), { force: true });
}
