import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { examples, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';
import { createProgress } from './progress.ts';
import { receiveFile, requireFree } from './received-file.ts';
import { addPeriod, period } from './report-period.ts';

/** `report register`: downloads the register. */
export function addRegister(group: Command, shell: Shell): void {
  examples(
    addPeriod(group.command('register'))
      .description('downloads the register of requests, a row each; every reading is audited')
      .option('--format <format>', 'csv or jsonl, which is the authoritative form (default: csv)')
      .option('--out <file>', 'where it goes (needed); it must not be there yet')
      .action(actOverApi(shell, options, register)),
    [
      'report register --out register.csv',
      'report register --from 2027-01-01 --to 2027-03-31 --format jsonl --out q1.jsonl',
    ],
  );
}

const fileExpected = 'the name of a file';
const options = period.extend({
  format: z.enum(['csv', 'jsonl'], 'csv or jsonl').default('csv'),
  out: z.string(fileExpected).min(1, fileExpected),
});
type RegisterGiven = GivenApi<z.output<typeof options>>;

async function register(given: RegisterGiven): Promise<ExitStatus> {
  const { api, io, output } = given;
  const { from, to, format, out } = given.options;
  const target = resolve(io.cwd, out);
  await requireFree(target);
  const chunks = api.download({ path: '/v1/reports/register', query: { from, to, format } });
  const counter = createRowCounter(format);
  const bytes = await receiveFile(target, shown(given, chunks, counter));
  // The names of the columns are a line, too.
  const rows = format === 'csv' ? counter.rows() - 1 : counter.rows();
  output.value({ file: target, bytes, rows }, () => `${target}: ${rows} rows, ${bytes} bytes`);
  return EXIT.ok;
}

const EVERY_MS = 1_000;

async function* shown(
  { io, output }: RegisterGiven,
  chunks: AsyncIterable<Uint8Array>,
  counter: RowCounter,
): AsyncGenerator<Uint8Array, void, undefined> {
  const progress = createProgress(io, { quiet: output.json });
  let next = io.now() + EVERY_MS;
  try {
    for await (const chunk of chunks) {
      counter.count(chunk);
      yield chunk;
      if (io.now() < next) continue;
      progress.show(0, 0, `${counter.rows()} rows`);
      next = io.now() + EVERY_MS;
    }
  } finally {
    progress.end();
  }
}

interface RowCounter {
  count(chunk: Uint8Array): void;
  rows(): number;
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;

/** Counts ends of lines: of CSV, those that are not within quotes. */
function createRowCounter(format: 'csv' | 'jsonl'): RowCounter {
  let rows = 0;
  let quoted = false;
  return {
    count: (chunk) => {
      for (const byte of chunk) {
        if (byte === QUOTE) quoted = format === 'csv' && !quoted;
        else if (byte === LINE_FEED && !quoted) rows += 1;
      }
    },
    rows: () => rows,
  };
}
