import { LetheError } from '../src/domain/errors.ts';

/** What can stop the migrations; docs/errors.md says what to do about each. */
export const MIGRATION_ERROR_CODES = [
  /** The folder or a file name in it is not what the runner expects, or a file ends the transaction. */
  'MIGRATION_INVALID',
  /** A migration that was applied has another content or name now, or is gone. */
  'MIGRATION_CHANGED',
  /** The database has migrations that this version of the code does not know. */
  'MIGRATION_NEWER',
  /** A new migration has a number below one that was applied already. */
  'MIGRATION_OUT_OF_ORDER',
  /** Postgres refused the SQL of a migration. */
  'MIGRATION_FAILED',
  /** No connection to the database. */
  'MIGRATION_UNREACHABLE',
  /** Something is to be done first that this login may not do. */
  'MIGRATION_NOT_PERMITTED',
  /** db/roles.sql could not be run. */
  'MIGRATION_ROLES_FAILED',
] as const;
export type MigrationErrorCode = (typeof MIGRATION_ERROR_CODES)[number];

/** Whatever it says, the database was left as it was (but see MIGRATION_INVALID for a file that commits). */
export class MigrationError extends LetheError {
  constructor(code: MigrationErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? undefined : { cause });
  }
}
