import { randomUUID } from 'node:crypto';
import { createReadStream, ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
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

const EVERY_MS = 1_000;

const shownImport = z.object({
  id: z.string(),
  state: z.string(),
  rows: z.number(),
  accepted: z.number(),
  repeated: z.number(),
  rejected: z.number(),
});
const shownPage = z.object({ items: z.array(shownImport).max(1) });

/** The answer comes when the file is through; until then, its key shows how far it is. */
async function importFile(given: ImportGiven): Promise<ExitStatus> {
  const { output, args, io, options: chosen } = given;
  const [name = ''] = args;
  const type = TYPES[chosen.format ?? formatOf(name)];
  const file = await open(name, io);
  const idempotencyKey = chosen.idempotencyKey ?? randomUUID();
  const sent = new AbortController();
  const shown = showRows(given, { ...file, idempotencyKey, sent: sent.signal });
  try {
    // A file of any size takes little memory: it is sent as it is read.
    const stream = Readable.toWeb(file.source);
    const answer = await given.api.ask({
      method: 'POST',
      path: '/v1/imports',
      upload: { type, stream },
      idempotencyKey,
    });
    const { state, rejected } = understood(shownImport, answer);
    sent.abort();
    await shown;
    output.value(answer, readable);
    return state === 'completed' && rejected === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    sent.abort();
    await shown;
    file.source.destroy();
  }
}

interface Sending extends OpenFile {
  readonly idempotencyKey: string;
  /** Aborted once all was answered. */
  readonly sent: AbortSignal;
}

/** Only shows: whatever ends the upload is said by the upload. */
async function showRows({ io, api, output }: ImportGiven, sending: Sending): Promise<void> {
  const { source, size, idempotencyKey, sent } = sending;
  const progress = createProgress(io, { quiet: output.json });
  const query = { idempotencyKey, limit: 1 };
  while (await sleep(EVERY_MS, true, { signal: sent }).catch(() => false)) {
    const page = await api.ask({ method: 'GET', path: '/v1/imports', query }).catch(() => undefined);
    const [seen] = shownPage.safeParse(page).data?.items ?? [];
    const read = source instanceof ReadStream ? source.bytesRead : 0;
    if (seen !== undefined && !sent.aborted) progress.show(read, size, textOf(seen));
  }
  progress.end();
}

function textOf({ rows, accepted, repeated, rejected }: z.output<typeof shownImport>): string {
  const known = repeated === 0 ? '' : `, ${repeated} known before`;
  return `${rows} rows: ${accepted} accepted${known}, ${rejected} rejected`;
}

function formatOf(name: string): keyof typeof TYPES {
  const ending = /[.](csv|ndjson|jsonl)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === undefined) throw commandError('USAGE_INVALID', '--format is needed: csv or ndjson');
  return ending === 'csv' ? 'csv' : 'ndjson';
}

interface OpenFile {
  readonly source: Readable;
  /** In bytes; 0 where it is not known. */
  readonly size: number;
}

async function open(name: string, io: Io): Promise<OpenFile> {
  if (name === '-') return { source: io.stdin, size: 0 };
  const path = resolve(io.cwd, name);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) throw commandError('USAGE_INVALID', `${path} is not a file that can be read`);
  return { source: createReadStream(path), size: found.size };
}
