import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { MigrationError } from './migration-error.ts';
import { findMigrationFolder } from './migration-files.ts';

export interface RoleNames {
  readonly owner: string;
  readonly migrator: string;
  readonly service: string;
}

/** Those of db/roles.sql. */
export const ROLE_NAMES: RoleNames = {
  owner: 'lethe_owner',
  migrator: 'lethe_migrator',
  service: 'lethe_service',
};

/** The connection strings of the two roles that log in; they hold passwords. */
export interface Logins {
  readonly serviceUrl: string;
  readonly migrationUrl: string;
}

/**
 * Runs db/roles.sql in the database that the administrator's URL names, for a Postgres that is ours alone: the passwords of
 * the logins follow from the administrator's, so that there is none more to keep. Any number of processes may do so at once.
 *
 * @throws MigrationError MIGRATION_ROLES_FAILED
 */
export async function setUpRoles(adminUrl: string, names: RoleNames = ROLE_NAMES): Promise<Logins> {
  const { password } = new URL(adminUrl);
  const passwordOf = (role: string) => createHmac('sha256', password).update(role).digest('hex');
  const settings = [
    ['lethe.owner_role', names.owner],
    ['lethe.migrator_role', names.migrator],
    ['lethe.migrator_password', passwordOf(names.migrator)],
    ['lethe.service_role', names.service],
    ['lethe.service_password', passwordOf(names.service)],
  ];
  const sql = await readFile(path.join(findMigrationFolder(), '..', 'roles.sql'), 'utf8');
  const client = new pg.Client(adminUrl);
  // The failing query reports a lost connection; without a listener it would also end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (const setting of settings) await client.query('SELECT set_config($1, $2, false)', setting);
    await client.query(sql);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'failed';
    const message = `The roles of the database cannot be set up: ${reason}`;
    throw new MigrationError('MIGRATION_ROLES_FAILED', message, cause);
  } finally {
    await client.end().catch(() => undefined);
  }
  const urlOf = (role: string) => withLogin(adminUrl, role, passwordOf(role));
  return { serviceUrl: urlOf(names.service), migrationUrl: urlOf(names.migrator) };
}

function withLogin(adminUrl: string, role: string, password: string): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = password;
  return url.href;
}
