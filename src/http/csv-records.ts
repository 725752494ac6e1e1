import { parse, type InfoRecord, type Parser } from 'csv-parse';
import { z } from 'zod';
import { ImportStoppedError } from '../app/import-source.ts';
import { LINE_BYTES_MAX, lineTooLong } from './upload.ts';

/** The parser bounds each field, and not how many there are: more input than this without a record is too much. */
const UNPARSED_MAX = 4 * LINE_BYTES_MAX;

export interface CsvRecord {
  /** Where it begins; lines count from 1. */
  readonly line: number;
  readonly fields: readonly Buffer[];
}

/**
 * The records of a CSV file (RFC 4180, with any kind of line end), empty lines apart, for as long as anybody can tell where
 * one begins. Fields come as bytes, so that wrong UTF-8 is seen and not replaced.
 *
 * @throws ImportStoppedError where a quote is wrong or a record too long, after all records before it
 */
export async function* csvRecords(chunks: AsyncIterable<Buffer>): AsyncGenerator<CsvRecord> {
  const place = new Place();
  // Given out by a callback: in the parser's own stream, those before an error are lost with it.
  let records: CsvRecord[] = [];
  const parser = parse({
    encoding: null,
    max_record_size: LINE_BYTES_MAX,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    on_record: (record: unknown, info: InfoRecord) => {
      const fields = fieldsOf.parse(record);
      records.push({ line: place.noteRecord(fields, info), fields });
      return null;
    },
  });
  parser.resume();
  let read = 0;
  for await (const chunk of piecesThen(chunks)) {
    const error = await written(parser, chunk);
    yield* records;
    records = [];
    if (error !== undefined) throw place.stopAt(error);
    read += chunk?.length ?? 0;
    if (read - place.bytes > UNPARSED_MAX) throw lineTooLong(place.line + 1);
  }
}

/** Undefined stands for the end. */
async function* piecesThen(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer | undefined> {
  yield* chunks;
  yield undefined;
}

/** Resolves with the parser's error, if any. It parses before it calls back, so that all records are there then. */
function written(parser: Parser, chunk: Buffer | undefined): Promise<unknown> {
  return new Promise((resolve) => {
    parser.once('error', resolve);
    const done = () => {
      parser.off('error', resolve);
      resolve(undefined);
    };
    if (chunk === undefined) parser.once('end', done).end();
    else {
      parser.write(chunk, (error) => {
        if (!error) done();
      });
    }
  });
}

const fieldsOf = z.array(z.instanceof(Buffer));
const csvError = z.object({ code: z.string(), empty_lines: z.number() });

/** Where the parser stands, by what it says of each record. */
class Place {
  /** Bytes up to the end of the last record. */
  bytes = 0;
  #lines = 0;
  #emptyLines = 0;
  /** The parser takes CRLF inside quotes for two line ends. */
  #surplus = 0;

  /** The line that the last record ended in. */
  get line(): number {
    return this.#lines - this.#surplus;
  }

  /** The line that the record began in. */
  noteRecord(fields: readonly Buffer[], info: InfoRecord): number {
    const breaks = breaksIn(fields);
    this.#surplus += breaks.filter((text) => text === '\r\n').length;
    this.bytes = info.bytes;
    this.#lines = info.lines;
    this.#emptyLines = info.empty_lines;
    return this.line - breaks.length;
  }

  /** What the parser's error says of the file. */
  stopAt(error: unknown): ImportStoppedError {
    const { code, empty_lines: emptyLines } = csvError.parse(error);
    const line = this.line + 1 + emptyLines - this.#emptyLines;
    return code === 'CSV_MAX_RECORD_SIZE' ? lineTooLong(line) : quoteWrong(line);
  }
}

function quoteWrong(line: number): ImportStoppedError {
  const message =
    `The quotes of the row at line ${line} are wrong, so that nobody can tell where it ends: expected quotes around the ` +
    'whole of a field that holds one, and inside it each twice. The rows before it are taken in.';
  return new ImportStoppedError('IMPORT_MALFORMED', message, { line });
}

function breaksIn(fields: readonly Buffer[]): readonly string[] {
  return fields
    .filter((field) => field.includes('\n') || field.includes('\r'))
    .flatMap((field) => field.toString('latin1').match(/\r\n|\r|\n/g) ?? []);
}
