import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { createApiKey } from '../app/create-api-key.ts';
import type { JournalEntry } from '../app/ports/journal.ts';
import { replayEntries, type Replayed, type ReplayVerdict } from '../app/replay-journal.ts';
import { revokeApiKey } from '../app/revoke-api-key.ts';
import { readJournal, type BrokenLine } from '../journal/read-journal.ts';
import { examples, time, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { onDatabase, type GivenDeps } from './on-database.ts';

/** `lethe replay`: after the database was restored from a backup. */
export function addReplay(program: Command, shell: Shell): void {
  examples(
    program
      .command('replay')
      .description('opens again what a database restored from a backup does not know to be erased')
      .option('--since <time>', 'when the backup was begun, or some time before (needed)')
      .option('--journal <folder>', "the journal's folder (default: journal.directory of the configuration)")
      .option('--dry-run', 'says what it would do, and writes nothing')
      .action(onDatabase(shell, replayOptions, replay)),
    ['replay --since 2027-03-01T02:00:00Z --dry-run', 'replay --since 2027-03-01T02:00:00Z --json'],
  );
}

const replayOptions = z.object({
  since: time(),
  journal: z.string().min(1, 'the path of a folder').optional(),
  dryRun: z.boolean().default(false),
});
type ReplayGiven = GivenDeps<z.output<typeof replayOptions>>;

const BATCH = 200;
const SAID: Readonly<Record<ReplayVerdict, string>> = {
  known: 'known to be erased',
  open: 'known, and not at its end: goes on by itself or with a person',
  reopened_before: 'opened again before',
  reopened: 'opened again',
  impossible: 'cannot be opened again',
};

async function replay(given: ReplayGiven): Promise<ExitStatus> {
  const { io, deps, config, options, output } = given;
  const directory =
    options.journal === undefined ? config.journal.directory : resolve(io.cwd, options.journal);
  const broken: BrokenLine[] = [];
  const entries = readJournal(directory, options.since, (line) => broken.push(line));
  const counts = new Map<ReplayVerdict, number>();
  await withKey(given, async (apiKeyId) => {
    for await (const batch of batchesOf(readable(entries, directory))) {
      const replayed = await replayEntries(deps, batch, { apiKeyId, dryRun: options.dryRun });
      for (const { verdict } of replayed) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
      output.items(replayed.map(shown));
      for (const one of replayed.filter(({ verdict }) => verdict === 'impossible'))
        output.note(`${one.entry.requestId}, task ${one.entry.taskId}: ${one.problem ?? ''}`);
    }
  });
  for (const { file, line } of broken) output.note(`${file}:${line} is no line of a journal`);
  const rows = [...counts].map(([verdict, count]) => [String(count), SAID[verdict]]);
  output.table([{ title: 'erasures' }, { title: 'in this database', flexible: true }], rows);
  if (options.dryRun) output.text('Nothing was written.');
  return broken.length > 0 || counts.has('impossible') ? EXIT.failed : EXIT.ok;
}

function shown({ entry, verdict, requestId, problem }: Replayed): object {
  const { at, requestId: ofRequest, taskId } = entry;
  return { verdict, requestId, problem, erased: { at: at.toISOString(), requestId: ofRequest, taskId } };
}

/** Whoever replays stands in the trail as a key that nobody has the token of, and that ends with the replay. */
async function withKey(
  { deps }: Pick<ReplayGiven, 'deps'>,
  work: (apiKeyId: () => Promise<string>) => Promise<void>,
): Promise<void> {
  let made: string | undefined;
  try {
    await work(async () => {
      made ??= (await createApiKey(deps, { name: 'lethe replay', scopes: ['requests:write'] }, 'local')).id;
      return made;
    });
  } finally {
    if (made !== undefined) await revokeApiKey(deps, made, 'local');
  }
}

async function* readable(
  entries: AsyncIterable<JournalEntry>,
  directory: string,
): AsyncGenerator<JournalEntry> {
  try {
    yield* entries;
  } catch (error) {
    throw commandError('USAGE_INVALID', `The journal in ${directory} cannot be read.`, error);
  }
}

async function* batchesOf(entries: AsyncIterable<JournalEntry>): AsyncGenerator<readonly JournalEntry[]> {
  let batch: JournalEntry[] = [];
  for await (const entry of entries) {
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
