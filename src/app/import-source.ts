import { LetheError } from '../domain/errors.ts';
import type { ImportFormat, RowProblem } from '../domain/imports.ts';
import type { Submission } from './check-submission.ts';

/** A row of a file: a submission of the right shape, or what is wrong with it. Lines count from 1. */
export type ImportRow =
  | { readonly line: number; readonly submission: Submission }
  | { readonly line: number; readonly problems: readonly RowProblem[] };

/** A file as it comes in. It can be read once. */
export interface ImportSource {
  readonly format: ImportFormat;
  /** Throws an ImportStoppedError where the file cannot be read on. */
  readonly rows: AsyncIterable<ImportRow>;
  /** Hex of the SHA-256 of what was read so far. */
  sha256(): string;
}

export type ImportStopCode = 'IMPORT_INTERRUPTED' | 'IMPORT_MALFORMED' | 'IMPORT_TOO_LARGE';

/**
 * The file cannot be read on; the rows before stay taken in. `line` is null where it is the file as a whole, `importId`
 * until the import is known.
 */
export class ImportStoppedError extends LetheError {
  readonly stop: ImportStopCode;
  readonly line: number | null;
  readonly importId: string | null;

  constructor(
    code: ImportStopCode,
    message: string,
    at: { line?: number | null; importId?: string; cause?: unknown } = {},
  ) {
    super(code, message, { cause: at.cause });
    this.stop = code;
    this.line = at.line ?? null;
    this.importId = at.importId ?? null;
  }
}

/** Another upload under the same Idempotency-Key goes on with the import. Code IMPORT_TAKEN_OVER. */
export class ImportTakenOverError extends LetheError {
  constructor() {
    super('IMPORT_TAKEN_OVER', 'Another upload with this Idempotency-Key goes on with the import.');
  }
}
