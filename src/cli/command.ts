import { Command } from 'commander';
import { z } from 'zod';
import { commandError, type ExitStatus } from './exit-status.ts';
import type { Io } from './io.ts';
import { createOutput, type Output } from './output.ts';

/** One run of the command line. */
export interface Shell {
  readonly io: Io;
  /** Told by the command that ran. */
  status: ExitStatus;
}

/** Options that every command knows, those of the API where it speaks to the API. */
const globals = z.object({
  json: z.boolean().default(false),
  url: z.string().optional(),
  keyFile: z.string().optional(),
});
export type Globals = z.output<typeof globals>;

/** What a command is given. */
export interface Given<T> {
  readonly io: Io;
  readonly output: Output;
  readonly globals: Globals;
  readonly options: T;
  /** The arguments, all of which are there: commander has seen to it. */
  readonly args: readonly string[];
}

/** The commander action that checks the options and does `work`, which gives the status to end with. */
export function act<T>(
  shell: Shell,
  schema: z.ZodType<T>,
  work: (given: Given<T>) => Promise<ExitStatus>,
): (...handed: unknown[]) => Promise<void> {
  return async (...handed) => {
    const command = handed.at(-1);
    if (!(command instanceof Command)) throw new Error('commander hands over the command last');
    const given = command.optsWithGlobals();
    const common = parseOptions(globals, given);
    shell.status = await work({
      io: shell.io,
      output: createOutput(shell.io, common),
      globals: common,
      options: parseOptions(schema, given),
      args: command.args,
    });
  };
}

function parseOptions<T>(schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.map(({ path, message }) => `${flagOf(path)}: expected ${message}`);
  throw commandError('USAGE_INVALID', mistakes.join('\n'));
}

function flagOf([name]: readonly PropertyKey[]): string {
  return `--${String(name).replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** No options of its own. */
export const noOptions = z.object({});

/** A time as it stands on a command line. */
export function time() {
  return z.iso
    .datetime({ offset: true, error: 'a time such as 2027-03-01T09:30:00Z' })
    .transform((text) => new Date(text));
}

/** A whole number as it stands on a command line. */
export function whole(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^[0-9]{1,15}$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected);
}

/** Ends the help of a command with calls that work. */
export function examples(command: Command, calls: readonly string[]): Command {
  const lines = calls.map((call) => `  $ lethe ${call}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** For options that may be given again and again. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
