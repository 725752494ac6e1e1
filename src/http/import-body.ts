import type { Request } from 'express';
import { z } from 'zod';
import { IMPORT_ROWS_MAX, type ImportFormat } from '../domain/imports.ts';
import type { ImportSource } from '../app/import-source.ts';
import { CSV_COLUMNS, csvRows } from './csv-rows.ts';
import { ndjsonRows } from './ndjson-rows.ts';
import { HttpProblem } from './problem.ts';
import type { Body } from './route.ts';
import { FILE_BYTES_MAX, LINE_BYTES_MAX, openUpload } from './upload.ts';

const TYPE = /^(text\/csv|application\/x-ndjson) *(; *charset *= *"?utf-8"? *)?(; *header *= *present *)?$/i;
const ROWS = { csv: csvRows, ndjson: ndjsonRows } as const;

const DESCRIPTION = `At most ${IMPORT_ROWS_MAX} rows of at most ${LINE_BYTES_MAX} bytes and ${FILE_BYTES_MAX} bytes in all, in UTF-8, with
or without a byte order mark; not compressed.

- \`text/csv\`: RFC 4180 with a header row that names, in any order, \`userId\` or \`email\` or both, and any of the other
  columns \`${CSV_COLUMNS.slice(2).join('`, `')}\`. Project keys are separated by spaces or \`;\`. An empty field is as good as none.
- \`application/x-ndjson\`: a submission a line, as \`submitErasureRequest\` takes it. Empty lines are passed over.`;

/** A file of submissions, which is read while it comes in. */
export const importBody: Body<ImportSource> = {
  required: true,
  description: DESCRIPTION,
  content: {
    'text/csv': z.string().meta({ override: { examples: ['userId,reference\nuser-42,TICKET-4711\n'] } }),
    'application/x-ndjson': z.string(),
  },
  problems: ['IMPORT_MALFORMED', 'IMPORT_INTERRUPTED', 'IMPORT_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'],
  read: (req) => {
    const format = formatOf(req);
    const upload = openUpload(req);
    return Promise.resolve({ format, rows: ROWS[format](upload.chunks), sha256: () => upload.sha256() });
  },
};

function formatOf(req: Request): ImportFormat {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = req.headers;
  const name = TYPE.exec(type)?.[1]?.toLowerCase();
  if (name === undefined || encoding !== 'identity') {
    const detail =
      'Expected a body of the type text/csv or application/x-ndjson in UTF-8, without compression.';
    throw new HttpProblem('MEDIA_TYPE_UNSUPPORTED', detail);
  }
  return name === 'text/csv' ? 'csv' : 'ndjson';
}
