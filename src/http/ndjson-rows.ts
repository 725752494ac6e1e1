import { isUtf8 } from 'node:buffer';
import type { ImportRow } from '../app/import-source.ts';
import { parsedOr } from './field-errors.ts';
import { submissionSchema } from './submission-schema.ts';
import { LINE_BYTES_MAX, lineTooLong } from './upload.ts';

const NEWLINE = 0x0a;

/** A submission a line, as the route for a single one takes it. Empty lines are passed over. */
export async function* ndjsonRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<ImportRow> {
  let line = 0;
  for await (const bytes of linesOf(chunks)) {
    line += 1;
    const row = rowOf(line, bytes);
    if (row !== undefined) yield row;
  }
}

/** Pieces of the input between newlines, none longer than a line may be. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  let line = 1;
  for await (const chunk of chunks) {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      if (rest.length + to - from > LINE_BYTES_MAX) throw lineTooLong(line);
      yield rest.length === 0 ? chunk.subarray(from, to) : Buffer.concat([rest, chunk.subarray(from, to)]);
      rest = Buffer.alloc(0);
      from = to + 1;
      line += 1;
    }
    rest = Buffer.concat([rest, chunk.subarray(from)]);
    if (rest.length > LINE_BYTES_MAX) throw lineTooLong(line);
  }
  if (rest.length > 0) yield rest;
}

function rowOf(line: number, bytes: Buffer): ImportRow | undefined {
  if (!isUtf8(bytes)) return { line, problems: [{ pointer: '', detail: 'expected text in UTF-8' }] };
  const text = bytes.toString('utf8');
  if (text.trim() === '') return undefined;
  const json = jsonOf(text);
  if (json === undefined) return { line, problems: [{ pointer: '', detail: 'expected one JSON object' }] };
  const parsed = parsedOr(submissionSchema, json.value);
  return 'problems' in parsed ? { line, problems: parsed.problems } : { line, submission: parsed.data };
}

function jsonOf(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
