export const IMPORT_FORMATS = ['csv', 'ndjson'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/**
 * `interrupted`: the upload broke off, or nothing was heard of it for some time; sent again it goes on. `failed`: the file
 * cannot be read on from some line, however often it is sent.
 */
export const IMPORT_STATES = ['receiving', 'completed', 'failed', 'interrupted'] as const;
export type ImportState = (typeof IMPORT_STATES)[number];

/** More rows than this are for another file. */
export const IMPORT_ROWS_MAX = 100_000;
/** A row counts as repeated for at least so long; afterwards only while the request that was made of it is open. */
export const ROW_MEMORY_DAYS = 30;
/** An upload that wrote nothing for so long is shown as interrupted: its process may have been killed. */
export const IMPORT_SILENCE_SECONDS = 120;

/** What became of the rows so far: `rows` is the sum of the others. */
export interface ImportCounts {
  readonly rows: number;
  /** Became requests of this import. */
  readonly accepted: number;
  /** Said nothing new: an equal row was taken in before. */
  readonly repeated: number;
  readonly rejected: number;
}

/** What is wrong with a row. `pointer` is a JSON Pointer into the submission; `detail` says what was expected. */
export interface RowProblem {
  readonly pointer: string;
  readonly detail: string;
}
