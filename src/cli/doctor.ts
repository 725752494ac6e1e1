import type { Command } from 'commander';
import { z } from 'zod';
import { ConfigError, loadConfig, type Config } from '../config.ts';
import { act, examples, type Given, type Shell } from './command.ts';
import { fail, ok, type Finding } from './doctor/finding.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import type { Output } from './output.ts';
import { wrapped } from './table.ts';

/** `lethe doctor`: looks at everything that Lethe needs, and says what is wrong and what to do. */
export function addDoctor(program: Command, shell: Shell): void {
  examples(
    program
      .command('doctor')
      .description(
        'looks at configuration, database, queue, OpenReplay and clocks; status 0 when nothing failed',
      )
      .option(
        '--drill',
        'erases people of a sandbox in a scratch database, and wipes the queue in the middle of it',
      )
      .action(act(shell, doctorOptions, diagnose)),
    ['doctor', 'doctor --drill', 'doctor --json | jq -r \'.checks[] | select(.verdict != "ok") | .todo\''],
  );
}

const doctorOptions = z.object({ drill: z.boolean().default(false) });

async function diagnose(given: Given<z.output<typeof doctorOptions>>): Promise<ExitStatus> {
  const { io, output, options } = given;
  const read = readConfig(given);
  if (!('config' in read)) return conclude(read.findings, output, EXIT.config);
  // Loaded only here: the other commands need none of it, and it takes half a second.
  const { examine } = await import('./doctor/examine.ts');
  const findings = [...read.findings, ...(await examine(read.config, io.now))];
  if (options.drill) {
    const { drill } = await import('./doctor/drill.ts');
    findings.push(await drill(read.config));
  }
  return conclude(findings, output, EXIT.failed);
}

type ReadConfig =
  | { readonly findings: readonly Finding[] }
  | { readonly findings: readonly Finding[]; readonly config: Config };

function readConfig({ io }: Given<unknown>): ReadConfig {
  try {
    const config = loadConfig(io.env, { cwd: io.cwd });
    const count =
      config.connections.length === 1 ? '1 connection' : `${config.connections.length} connections`;
    const database = config.database.kind === 'url' ? 'a Postgres of its own' : 'the embedded Postgres';
    const queue = config.queue.kind === 'redis' ? 'Redis' : 'Postgres';
    return {
      config,
      findings: [ok('config', `The configuration is right: ${count}, ${database}, the queue on ${queue}.`)],
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      findings: error.problems.map(({ path, line, expected }) =>
        fail(
          'config',
          `${path} is wrong${line === undefined ? '' : ` (line ${line})`}.`,
          `Expected ${expected}.`,
        ),
      ),
    };
  }
}

/** Prints the findings; `failed` is the status where one of them is a failure. */
function conclude(findings: readonly Finding[], output: Output, failed: ExitStatus): ExitStatus {
  const failures = findings.filter(({ verdict }) => verdict === 'fail').length;
  output.value({ ok: failures === 0, checks: findings }, () =>
    findings.map((one) => lineOf(one, output)).join('\n'),
  );
  return failures === 0 ? EXIT.ok : failed;
}

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
const INDENT = 6;

function lineOf({ part, verdict, saw, todo }: Finding, output: Output): string {
  const sentence = [`${part}:`, saw, ...(todo === null ? [] : [todo])].join(' ');
  const text = wrapped(sentence, output.width - INDENT, ' '.repeat(INDENT));
  return `${output.paint(COLOURS[verdict], verdict.padEnd(4))}  ${text}`;
}
