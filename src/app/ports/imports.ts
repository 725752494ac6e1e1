import type { ImportCounts, ImportFormat, ImportState, RowProblem } from '../../domain/imports.ts';

/** What the use cases need for bulk imports. Part of ports.ts. */

/** Why an import can never be completed. */
export interface ImportFailure {
  readonly code: string;
  readonly detail: string;
  /** Null where it is the file as a whole. */
  readonly line: number | null;
}

export interface Import extends ImportCounts {
  readonly id: string;
  readonly format: ImportFormat;
  readonly state: ImportState;
  /** Id of the API key. */
  readonly submittedBy: string;
  readonly failure: ImportFailure | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface NewImport {
  readonly id: string;
  readonly apiKeyId: string;
  /** Names the import for its sender; null for one that goes without. */
  readonly idempotencyKey: string | null;
  readonly format: ImportFormat;
}

/** The right of one upload to write to an import; ends when another takes over. */
export interface ImportLease {
  readonly importId: string;
  readonly apiKeyId: string;
  readonly run: number;
}

/** Opened for this upload; or completed before, by a file with this fingerprint. */
export type OpenedImport =
  | { readonly lease: ImportLease; readonly fingerprint: null }
  | { readonly lease: ImportLease; readonly fingerprint: Uint8Array };

/** A row that is to become a request, unless it became one before. */
export interface RowClaim {
  readonly line: number;
  readonly fingerprint: Uint8Array;
  /** Of the request that it would become. */
  readonly requestId: string;
}

export interface RowError {
  readonly line: number;
  readonly problems: readonly RowProblem[];
}

export interface ImportFilter {
  /** Only the import that this API key has named so. */
  readonly named?: { readonly apiKeyId: string; readonly idempotencyKey: string };
  /** Only imports after this id in the list's order (newest first). */
  readonly before?: string;
  readonly limit: number;
}

export interface ImportStore {
  findImport(id: string): Promise<Import | undefined>;
  listImports(filter: ImportFilter): Promise<readonly Import[]>;
  /** By line, of lines after `after`. */
  listImportErrors(id: string, page: { after: number; limit: number }): Promise<readonly RowError[]>;
}

export interface ImportTransaction {
  /** Takes an import under the same idempotency key over from whoever receives it, to begin anew; else makes one. */
  openImport(wish: NewImport): Promise<OpenedImport>;
  /**
   * Takes rows that say something new for the requests that are made of them in this transaction. Waits for other
   * transactions that take the same rows.
   *
   * @param rows no two with the same fingerprint
   * @returns `taken`: ids of the requests to make; `before`: how many rows this very import has taken before, from the
   *   same line
   */
  claimRows(
    lease: ImportLease,
    rows: readonly RowClaim[],
  ): Promise<{ readonly taken: ReadonlySet<string>; readonly before: number }>;
  insertRowErrors(importId: string, errors: readonly RowError[]): Promise<void>;
  /** Counts rows of an import. False when the lease has ended; whatever the transaction wrote must then be undone. */
  countRows(lease: ImportLease, counts: ImportCounts): Promise<boolean>;
  /** False when the lease has ended: nothing is changed. */
  endImport(
    lease: ImportLease,
    end:
      | { readonly state: 'completed'; readonly fingerprint: Uint8Array }
      | { readonly state: 'failed'; readonly failure: ImportFailure }
      | { readonly state: 'interrupted' },
  ): Promise<boolean>;
}
