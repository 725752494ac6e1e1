import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { auditLog, type LogAuditReport, type PublishedCheckpoint } from '../evidence/audit-log.ts';
import { parseVerifierKey, splitNotes, type NoteVerifier } from '../evidence/signed-note.ts';
import { act, collect, examples, noOptions, type Given, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { onDatabase, type GivenDeps } from './on-database.ts';
import { createProgress } from './progress.ts';
import { runVerify } from './verify.ts';

/** `lethe audit`: the log of all events, on the machine that has its database. */
export function addAudit(program: Command, shell: Shell): void {
  const audit = program
    .command('audit')
    .description('checks the log of all events, and shows what it is checked with');
  examples(
    audit
      .command('verify')
      .description(
        'checks every event in the database against what was signed, and against what was published',
      )
      .option('--checkpoint <file>', 'checkpoints that have left the machine; may be given again', collect)
      .option(
        '--key <vkey>',
        "the log's verifier key, as it was handed out (default: those in the database)",
        collect,
      )
      .action(onDatabase(shell, verifyOptions, verify)),
    ['audit verify', 'audit verify --checkpoint published.txt --key "$(cat vkey)"'],
  );
  examples(
    audit
      .command('key')
      .description("shows the log's verifier key: hand it to those who will check certificates")
      .action(onDatabase(shell, noOptions, showKeys)),
    ['audit key > vkey'],
  );
  examples(
    audit
      .command('checkpoint')
      .description('shows the newest signed checkpoint: keep it where nobody can change it')
      .action(onDatabase(shell, noOptions, showCheckpoint)),
    ['audit checkpoint >> /mnt/elsewhere/checkpoints.txt'],
  );
}

/** `lethe verify`, which is `lethe-verify`: needs no database and no server. */
export function addVerify(program: Command, shell: Shell): void {
  const { stdout, stderr } = shell.io;
  examples(
    program
      .command('verify <file>')
      .description('checks a certificate offline, with the verifier key of the log alone')
      .option('--key <vkey>', "the log's verifier key, as it was handed out (needed)")
      .option('--checkpoint <file>', 'checkpoints that were published')
      .action(
        act(shell, certificateOptions, ({ args, options, globals }) => {
          const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
          const argv = [...args, ...flags, ...(globals.json ? ['--json'] : [])];
          const io = {
            write: (text: string) => stdout.write(text),
            complain: (text: string) => stderr.write(text),
          };
          return Promise.resolve(runVerify(argv, io));
        }),
      ),
    ['verify certificate.json --key "$(cat vkey)"'],
  );
}

const certificateOptions = z.object({ key: z.string().optional(), checkpoint: z.string().optional() });

const verifyOptions = z.object({
  checkpoint: z.array(z.string().min(1, 'the path of a file')).default([]),
  key: z.array(z.string()).default([]),
});

async function verify(given: GivenDeps<z.output<typeof verifyOptions>>): Promise<ExitStatus> {
  const { io, log, options, output, globals } = given;
  const published = (
    await Promise.all(options.checkpoint.map((file) => readCheckpoints(given, file)))
  ).flat();
  const verifiers = options.key.length > 0 ? options.key.map(parseVerifierKey) : await keysOf(log);
  const progress = createProgress(io, { quiet: globals.json });
  const report = await log.store.read((reader) =>
    auditLog(reader, {
      verifiers,
      published,
      onProgress: ({ events, of }) => {
        progress.show(events, of, `${events} of ${of} events`);
      },
    }),
  );
  progress.end();
  output.value(report, () => textOf(report));
  if (published.length === 0)
    output.note(
      'No published checkpoint was given: who owns database and key could have written everything anew.',
    );
  if (options.key.length === 0)
    output.note('The key is the one in the database; --key checks with one that was handed out.');
  return report.findingsInAll === 0 ? EXIT.ok : EXIT.failed;
}

function textOf(report: LogAuditReport): string {
  const more = report.findingsInAll - report.findings.length;
  const verdict =
    report.findingsInAll === 0 ? 'The log is what was signed' : 'The log is not what was signed';
  return [
    ...report.findings.map(({ message }) => `WRONG  ${message}`),
    ...(more > 0 ? [`WRONG  and ${more} more`] : []),
    `${verdict}: ${report.events} events in ${report.trails} trails, ${report.checkpoints} checkpoints compared; ${report.unsealed} events wait to be sealed.`,
  ].join('\n');
}

async function readCheckpoints(
  { io }: Pick<Given<unknown>, 'io'>,
  file: string,
): Promise<readonly PublishedCheckpoint[]> {
  let text: string;
  try {
    text = await readFile(resolve(io.cwd, file), 'utf8');
  } catch (cause) {
    throw commandError('USAGE_INVALID', `--checkpoint: ${file} cannot be read`, cause);
  }
  return splitNotes(text).map((note, index) => ({ note, from: `checkpoint ${index + 1} of ${file}` }));
}

async function keysOf(log: GivenDeps<unknown>['log']): Promise<readonly NoteVerifier[]> {
  return (await log.store.listKeys()).map(({ verifierKey }) => parseVerifierKey(verifierKey));
}

async function showKeys({ log, output }: GivenDeps<unknown>): Promise<ExitStatus> {
  const keys = (await log.store.listKeys()).map(({ origin, verifierKey }) => ({ origin, verifierKey }));
  output.items(keys);
  output.text(keys.map(({ verifierKey }) => verifierKey).join('\n'));
  return EXIT.ok;
}

async function showCheckpoint({ log, output }: GivenDeps<unknown>): Promise<ExitStatus> {
  const head = await log.store.findHead();
  if (head === undefined) {
    output.note('Nothing was sealed yet.');
    return EXIT.notFound;
  }
  output.value({ size: head.size, checkpoint: head.note }, () => head.note.trimEnd());
  return EXIT.ok;
}
