import { LetheError } from '../domain/errors.ts';

/** What can keep the embedded Postgres from running; docs/errors.md says what to do about each. */
export const EMBEDDED_ERROR_CODES = [
  'EMBEDDED_UNSUPPORTED_PLATFORM',
  'EMBEDDED_BINARIES_MISSING',
  'EMBEDDED_BINARIES_UNUSABLE',
  'EMBEDDED_DIRECTORY_UNUSABLE',
  'EMBEDDED_DATA_MISSING',
  'EMBEDDED_INIT_FAILED',
  'EMBEDDED_START_FAILED',
  'EMBEDDED_NOT_OURS',
  'EMBEDDED_STOP_FAILED',
] as const;
export type EmbeddedErrorCode = (typeof EMBEDDED_ERROR_CODES)[number];

/** A failure of the embedded Postgres. No message holds the database's password. */
export class EmbeddedPostgresError extends LetheError {
  constructor(code: EmbeddedErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? undefined : { cause });
  }
}

/** `error.code` of a Node or Postgres error as text (an exit status is a number), or undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' || typeof error.code === 'number' ? String(error.code) : undefined;
}

/** What a program wrote to its standard error, where `error` comes from execFile; else empty. */
export function stderrOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('stderr' in error)) return '';
  return typeof error.stderr === 'string' ? error.stderr.trim() : '';
}

/** `error.message`, or empty for something that has none. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return '';
  return typeof error.message === 'string' ? error.message : '';
}
