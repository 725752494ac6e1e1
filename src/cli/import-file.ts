import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import type { Command } from 'commander';
import { z } from 'zod';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { patientLook, pause } from './follow.ts';
import type { Io } from './io.ts';
import { actOverApi, type GivenApi } from './over-api.ts';
import { readable } from './output.ts';
import { createProgress } from './progress.ts';

const TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;
const formats = z.enum(['csv', 'ndjson'], 'csv or ndjson');

/** `lethe import`: many requests at once, from a file. */
export function addImport(program: Command, shell: Shell): void {
  examples(
    addApiOptions(program.command('import <file>'))
      .description(
        'takes in the requests of a CSV or NDJSON file (- for standard input) and follows their intake',
      )
      .option('--format <format>', 'csv or ndjson (default: by the ending of the name)')
      .option('--idempotency-key <key>', 'the same key and file again import nothing twice')
      .action(actOverApi(shell, options, importFile)),
    ['import requests.csv', 'import - --format ndjson --json < requests.ndjson'],
  );
}

const options = z.object({ format: formats.optional(), idempotencyKey: z.string().optional() });
type ImportGiven = GivenApi<z.output<typeof options>>;

const EVERY_MS = 500;

const shownImport = z.object({
  id: z.string(),
  state: z.string(),
  rows: z.number().nullish(),
  accepted: z.number().nullish(),
  rejected: z.number().nullish(),
});
type ShownImport = z.output<typeof shownImport>;
const RESTING: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

async function importFile(given: ImportGiven): Promise<ExitStatus> {
  const { output } = given;
  const first = await upload(given);
  const { id } = understood(shownImport, first);
  const following = { ...given, everyMs: EVERY_MS };
  const look = patientLook(following, `/v1/imports/${encodeURIComponent(id)}`);
  const progress = createProgress(given.io, { quiet: output.json });
  try {
    for (let raw = first; ; raw = await look()) {
      const seen = understood(shownImport, raw);
      output.items([raw]);
      const { done, text } = countOf(seen);
      progress.show(done, seen.rows ?? 0, text);
      if (RESTING.has(seen.state)) {
        progress.end();
        output.text(readable(raw));
        return seen.state === 'completed' && (seen.rejected ?? 0) === 0 ? EXIT.ok : EXIT.failed;
      }
      await pause(following);
    }
  } finally {
    progress.end();
  }
}

function countOf({ state, rows, accepted, rejected }: ShownImport): { done: number; text: string } {
  const done = (accepted ?? 0) + (rejected ?? 0);
  return { done, text: `${state}, ${done} of ${rows ?? '?'} rows, ${rejected ?? 0} rejected` };
}

/** Sends the file as it is read: a file of any size takes little memory. */
async function upload({
  io,
  api,
  args,
  options: { format, idempotencyKey },
  output,
}: ImportGiven): Promise<unknown> {
  const [name = ''] = args;
  const type = TYPES[format ?? formatOf(name)];
  const { source, size } = await open(name, io);
  const progress = createProgress(io, { quiet: true });
  let sent = 0;
  const counted = source.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sent += chunk.length;
        progress.show(sent, size ?? 0, `${(sent / 1_048_576).toFixed(1)} MiB sent`);
        done(null, chunk);
      },
    }),
  );
  source.on('error', (error) => counted.destroy(error));
  try {
    const stream = Readable.toWeb(counted);
    return await api.ask({ method: 'POST', path: '/v1/imports', upload: { type, stream }, idempotencyKey });
  } finally {
    progress.end();
    source.destroy();
    if (sent > 0 && io.stderr.isTTY !== true) output.note(`${sent} bytes sent`);
  }
}

function formatOf(name: string): keyof typeof TYPES {
  const ending = /[.](csv|ndjson|jsonl)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === undefined) throw commandError('USAGE_INVALID', '--format is needed: csv or ndjson');
  return ending === 'csv' ? 'csv' : 'ndjson';
}

async function open(name: string, io: Io): Promise<{ source: Readable; size: number | undefined }> {
  if (name === '-') return { source: io.stdin, size: undefined };
  const path = resolve(io.cwd, name);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) throw commandError('USAGE_INVALID', `${path} is not a file that can be read`);
  return { source: createReadStream(path), size: found.size };
}
