import { LetheError } from '../domain/errors.ts';

/** How the command line ends; docs/cli.md tells scripts what each means. 69, 77 and 78 are those of sysexits.h. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  needsPerson: 4,
  unavailable: 69,
  notPermitted: 77,
  config: 78,
  interrupted: 130,
} as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** What the command line itself finds wrong. What the API answers keeps the code that the API gave it. */
type CommandErrorCode =
  /** Called wrongly: an option, an argument or a file that is named by one. */
  | 'USAGE_INVALID'
  /** No API key was given, and none lies where the embedded default keeps it. */
  | 'API_KEY_NOT_GIVEN'
  /** Nothing answers at the URL, or what answers is not Lethe, or it is too old for what was asked. */
  | 'API_UNAVAILABLE'
  /** OpenReplay did not do what `lethe openreplay` asked of it. */
  | 'OPENREPLAY_CALL_FAILED'
  /** Ctrl-C, or SIGTERM. */
  | 'COMMAND_INTERRUPTED';

/** Why a command ends without having done what it was asked. `code` is one of ours or one of the API's. */
export class CommandError extends LetheError {
  readonly status: ExitStatus;
  /** Lines below the message, such as the fields that the API refused. */
  readonly details: readonly string[];

  constructor(
    code: string,
    message: string,
    options: { status: ExitStatus; details?: readonly string[]; cause?: unknown },
  ) {
    super(code, message, { cause: options.cause });
    this.status = options.status;
    this.details = options.details ?? [];
  }
}

const STATUS_OF: Readonly<Record<CommandErrorCode, ExitStatus>> = {
  USAGE_INVALID: EXIT.usage,
  API_KEY_NOT_GIVEN: EXIT.notPermitted,
  API_UNAVAILABLE: EXIT.unavailable,
  OPENREPLAY_CALL_FAILED: EXIT.failed,
  COMMAND_INTERRUPTED: EXIT.interrupted,
};

/** A failure of the command line itself, with the status that goes with its code. */
export function commandError(code: CommandErrorCode, message: string, cause?: unknown): CommandError {
  return new CommandError(code, message, { status: STATUS_OF[code], cause });
}
