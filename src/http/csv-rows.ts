import { isUtf8 } from 'node:buffer';
import { ImportStoppedError, type ImportRow } from '../app/import-source.ts';
import { csvRecords, type CsvRecord } from './csv-records.ts';
import { parsedOr } from './field-errors.ts';
import { submissionSchema } from './submission-schema.ts';
import { LINE_BYTES_MAX, lineTooLong } from './upload.ts';

/** What the header row may name, in any order. */
export const CSV_COLUMNS = [
  'userId',
  'email',
  'projectKeys',
  'connection',
  'regulation',
  'receivedAt',
  'reference',
  'note',
] as const;
type Column = (typeof CSV_COLUMNS)[number];

/** A submission a row, below a header row. An empty field is as good as none; identifiers are kept exactly. */
export async function* csvRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<ImportRow> {
  let columns: readonly Column[] | undefined;
  for await (const record of csvRecords(chunks)) {
    if (columns === undefined) columns = columnsOf(record.fields);
    else yield rowOf(record, columns);
  }
  if (columns === undefined) throw headerWrong('there is none');
}

/** What the header names is never repeated: in a file without one it is somebody's identifier. */
function columnsOf(record: readonly Buffer[]): readonly Column[] {
  const columns = record.map((field, index) => {
    const column = CSV_COLUMNS.find((name) => name === field.toString('utf8'));
    if (column === undefined) throw headerWrong(`its column ${index + 1} is not known`);
    return column;
  });
  if (new Set(columns).size < columns.length) throw headerWrong('a column stands there twice');
  if (!columns.includes('userId') && !columns.includes('email'))
    throw headerWrong('there is no userId or email');
  return columns;
}

function headerWrong(why: string): ImportStoppedError {
  const message = `Expected a header row with columns of ${CSV_COLUMNS.join(', ')}; ${why}.`;
  return new ImportStoppedError('IMPORT_MALFORMED', message);
}

function rowOf({ line, fields }: CsvRecord, columns: readonly Column[]): ImportRow {
  if (fields.reduce((sum, field) => sum + field.length + 1, 0) > LINE_BYTES_MAX) throw lineTooLong(line);
  if (fields.length !== columns.length) {
    const detail = `expected ${columns.length} fields, as the header has`;
    return { line, problems: [{ pointer: '', detail }] };
  }
  const wrong = columns.filter((_column, index) => !isUtf8(fields[index] ?? Buffer.alloc(0)));
  if (wrong.length > 0) {
    return {
      line,
      problems: wrong.map((column) => ({ pointer: `/${column}`, detail: 'expected text in UTF-8' })),
    };
  }
  const parsed = parsedOr(submissionSchema, submissionOf(columns, fields));
  return 'problems' in parsed ? { line, problems: parsed.problems } : { line, submission: parsed.data };
}

function submissionOf(columns: readonly Column[], fields: readonly Buffer[]): object {
  const subject: Record<string, string> = {};
  const rest: Record<string, string | string[]> = {};
  columns.forEach((column, index) => {
    const text = fields[index]?.toString('utf8') ?? '';
    if (text === '') return;
    if (column === 'userId' || column === 'email') subject[column] = text;
    else rest[column] = column === 'projectKeys' ? text.split(/[ ;]+/).filter((key) => key !== '') : text;
  });
  return { subject, ...rest };
}
