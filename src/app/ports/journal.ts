import type { Regulation } from '../../domain/regulation.ts';

/**
 * An erasure that was carried out, as it is kept outside the database: enough to carry it out again where a restored
 * database does not know of it.
 */
export interface JournalEntry {
  /** When the erasure was verified. */
  readonly at: Date;
  readonly requestId: string;
  readonly taskId: string;
  readonly connection: string;
  readonly projectKey: string;
  readonly regulation: Regulation;
  readonly receivedAt: Date;
  /** The user id, sealed for the task. */
  readonly sealed: Uint8Array;
}

export interface Journal {
  /**
   * Returns once the entry is on the disk.
   *
   * @throws LetheError JOURNAL_UNWRITABLE
   */
  append(entry: JournalEntry): Promise<void>;
  /**
   * Deletes what is kept no longer, also while nobody is erased.
   *
   * @throws LetheError JOURNAL_UNWRITABLE
   */
  tidy(): Promise<void>;
}
