import { ImportStoppedError, type ImportRow } from './import-source.ts';

/** The rows up to a limit. Throws an ImportStoppedError IMPORT_TOO_LARGE at the first one beyond. */
export async function* atMost(max: number, rows: AsyncIterable<ImportRow>): AsyncGenerator<ImportRow> {
  let count = 0;
  for await (const row of rows) {
    count += 1;
    if (count > max) {
      const message = `An import takes at most ${max} rows; those before line ${row.line} are taken in.`;
      throw new ImportStoppedError('IMPORT_TOO_LARGE', message, { line: row.line });
    }
    yield row;
  }
}
