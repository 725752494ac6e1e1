import type { ImportFormat } from '../domain/imports.ts';
import {
  FIRST_ERRORS,
  type ImportErrorPage,
  type ImportPage,
  type ImportView,
  type RowErrorsView,
} from './import-schema.ts';
import type { Deps } from './ports.ts';
import type { Import, ImportFilter, RowError } from './ports/imports.ts';

/** The import with this id and the first rows that it rejected, or undefined. */
export async function showImport(
  { store }: Pick<Deps, 'store'>,
  id: string,
): Promise<ImportView | undefined> {
  const found = await store.findImport(id);
  if (found === undefined) return undefined;
  const errors = await store.listImportErrors(id, { after: 0, limit: FIRST_ERRORS });
  return { ...summaryOf(found), errors: errors.map((error) => errorsView(found.format, error)) };
}

/** Imports, newest first. */
export async function listImports({ store }: Pick<Deps, 'store'>, filter: ImportFilter): Promise<ImportPage> {
  const found = await store.listImports({ ...filter, limit: filter.limit + 1 });
  const items = found.slice(0, filter.limit).map(summaryOf);
  return { items, nextCursor: found.length > filter.limit ? (items.at(-1)?.id ?? null) : null };
}

/** Rows that the import rejected, by line, of lines after `after`; undefined when there is no such import. */
export async function listImportErrors(
  { store }: Pick<Deps, 'store'>,
  query: { importId: string; after: number; limit: number },
): Promise<ImportErrorPage | undefined> {
  const { importId, after, limit } = query;
  const known = await store.findImport(importId);
  if (known === undefined) return undefined;
  const found = await store.listImportErrors(importId, { after, limit: limit + 1 });
  const items = found.slice(0, limit).map((error) => errorsView(known.format, error));
  return { items, nextAfter: found.length > limit ? (items.at(-1)?.line ?? null) : null };
}

function summaryOf({ createdAt, updatedAt, ...rest }: Import): Omit<ImportView, 'errors'> {
  return { ...rest, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

function errorsView(format: ImportFormat, { line, problems }: RowError): RowErrorsView {
  return {
    line,
    errors: problems.map(({ pointer, detail }) => ({
      field: format === 'csv' ? columnOf(pointer) : pointer,
      detail,
    })),
  };
}

/** The column that a part of the submission comes from: `/subject/userId` is `userId`, `/projectKeys/3` is `projectKeys`. */
function columnOf(pointer: string): string {
  if (pointer === '/subject') return 'userId';
  return pointer.split('/').findLast((step) => step !== '' && !/^[0-9]+$/.test(step)) ?? '';
}
