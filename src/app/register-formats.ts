import { stringify } from 'csv-stringify/sync';
import { registerRow, type RegisterRow } from './register-row.ts';
import type { RegisterFormat } from './read-register.ts';

type Pages = AsyncIterable<readonly RegisterRow[]>;
type Bytes = AsyncGenerator<Uint8Array, void, undefined>;

export const REGISTER_TYPES = {
  csv: 'text/csv',
  jsonl: 'application/x-ndjson',
} as const satisfies Record<RegisterFormat, string>;

/** The register as it is sent, a page at a time. */
export function rendered(format: RegisterFormat, pages: Pages): Bytes {
  switch (format) {
    case 'csv':
      return csvOf(pages);
    case 'jsonl':
      return jsonLinesOf(pages);
  }
}

const COLUMNS = registerRow.keyof().options;
/** Without it Excel takes a file for one of another encoding. */
const BYTE_ORDER_MARK = '\ufeff';

/** RFC 4180, in UTF-8 with a byte order mark. What a spreadsheet would compute is marked as text. */
async function* csvOf(pages: Pages): Bytes {
  yield Buffer.from(`${BYTE_ORDER_MARK}${csvRows([COLUMNS])}`, 'utf8');
  for await (const page of pages) {
    const rows = page.map((row) => COLUMNS.map((column) => csvCell(row[column])));
    yield Buffer.from(csvRows(rows), 'utf8');
  }
}

function csvRows(rows: readonly (readonly string[])[]): string {
  return stringify([...rows], { quoted: true, quoted_empty: true, record_delimiter: '\r\n' });
}

/** What a spreadsheet takes for a formula, or drops before it looks: OWASP, CSV injection, with full-width forms. */
// eslint-disable-next-line no-control-regex -- control characters are among what is looked for
const FORMULA = /^[ \u00a0\ufeff\n\u0000]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/** A cell as text: values of a list are joined, and a quote goes before what a spreadsheet would compute. */
export function csvCell(value: RegisterRow[keyof RegisterRow]): string {
  const text = Array.isArray(value) ? value.join('; ') : String(value ?? '');
  return FORMULA.test(text) ? `'${text}` : text;
}

async function* jsonLinesOf(pages: Pages): Bytes {
  for await (const page of pages)
    yield Buffer.from(page.map((row) => `${JSON.stringify(row)}\n`).join(''), 'utf8');
}
