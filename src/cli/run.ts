import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config.ts';
import { LetheError } from '../domain/errors.ts';
import { productVersion } from '../version.ts';
import type { Shell } from './command.ts';
import { addAudit, addVerify } from './audit.ts';
import { addDeadlines } from './deadlines.ts';
import { addDoctor } from './doctor.ts';
import { CommandError, EXIT, type ExitStatus } from './exit-status.ts';
import { addCallbacks } from './callbacks.ts';
import { addConnections } from './connections.ts';
import { addHolds } from './holds.ts';
import { addImport } from './import-file.ts';
import type { Io } from './io.ts';
import { addKeys } from './keys-commands.ts';
import { addReplay } from './replay.ts';
import { addReport } from './report.ts';
import { addOpenReplay } from './openreplay.ts';
import { wantsColours } from './output.ts';
import { addRequests } from './requests.ts';
import { addWebhook } from './webhook.ts';

/**
 * Does what `argv` (without the program's name) says and gives the status to end with. Never throws and never ends the
 * process. With --json, standard output holds JSON also when it fails: `{"error": {...}}`.
 */
export async function run(argv: readonly string[], io: Io): Promise<ExitStatus> {
  const shell: Shell = { io, status: EXIT.ok };
  try {
    await createProgram(shell).parseAsync([...argv], { from: 'user' });
    return shell.status;
  } catch (error) {
    return report(failureOf(error, io), { io, json: argv.includes('--json') });
  }
}

/** The whole tree of commands. */
export function createProgram(shell: Shell): Command {
  const { io } = shell;
  const program = new Command('lethe')
    .description(
      'Carries out erasure requests on OpenReplay. docs/cli.md tells of files, variables and exit statuses.',
    )
    .option('--json', 'JSON on standard output: one value, or one a line where a command lists or follows')
    .version(productVersion(), '--version')
    .configureHelp({ showGlobalOptions: true, helpWidth: 80 })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Told by `report`, which knows what --json wants.
      outputError: () => undefined,
      getOutHasColors: () => wantsColours(io),
      getErrHasColors: () => false,
    })
    .exitOverride();
  addRequests(program, shell);
  addImport(program, shell);
  addWebhook(program, shell);
  addHolds(program, shell);
  addCallbacks(program, shell);
  addConnections(program, shell);
  addDeadlines(program, shell);
  addReport(program, shell);
  addKeys(program, shell);
  addAudit(program, shell);
  addVerify(program, shell);
  addReplay(program, shell);
  addOpenReplay(program, shell);
  addDoctor(program, shell);
  return program;
}

interface Failure {
  readonly status: ExitStatus;
  readonly code: string;
  /** Empty: it was said already. */
  readonly message: string;
  readonly details: readonly string[];
}

function failureOf(error: unknown, io: Io): Failure {
  if (error instanceof CommanderError) return failureOfCommander(error);
  if (error instanceof CommandError) return { ...pick(error), status: error.status, details: error.details };
  if (error instanceof ConfigError) return { ...pick(error), status: EXIT.config, details: [] };
  if (error instanceof LetheError) return { ...pick(error), status: statusOfService(error), details: [] };
  if (io.interrupted.aborted) {
    return { status: EXIT.interrupted, code: 'COMMAND_INTERRUPTED', message: 'interrupted', details: [] };
  }
  const message = error instanceof Error ? error.message : 'failed';
  return { status: EXIT.failed, code: 'INTERNAL', message, details: [] };
}

function pick({ code, message }: LetheError): Pick<Failure, 'code' | 'message'> {
  return { code, message };
}

function statusOfService({ code }: LetheError): ExitStatus {
  if (code === 'API_KEY_NOT_FOUND') return EXIT.notFound;
  return code === 'STORE_UNAVAILABLE' || code === 'MIGRATION_UNREACHABLE' ? EXIT.unavailable : EXIT.failed;
}

/** Help that was asked for is no failure; help that is shown because a command is missing is. */
function failureOfCommander({ code, exitCode, message }: CommanderError): Failure {
  const usage = { status: EXIT.usage, code: 'USAGE_INVALID', details: [] };
  if (exitCode === 0) return { ...usage, status: EXIT.ok, message: '' };
  if (code === 'commander.help') return { ...usage, message: 'a command is missing; see above' };
  return { ...usage, message: `${message.replace(/^error: /, '')} (--help shows how it is called)` };
}

function report(failure: Failure, { io, json }: { io: Io; json: boolean }): ExitStatus {
  const { status, code, message, details } = failure;
  if (status === EXIT.ok) return status;
  io.stderr.write(`${['error: '.concat(message), ...details.map((detail) => `  - ${detail}`)].join('\n')}\n`);
  if (json) io.stdout.write(`${JSON.stringify({ error: { code, message, details, exitStatus: status } })}\n`);
  return status;
}
