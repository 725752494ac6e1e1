import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { MigrationError } from '../../../db/migration-error.ts';
import { findMigrationFolder, readMigrationFiles } from '../../../db/migration-files.ts';
import { findPending, lookAtLedger } from '../../../db/migration-ledger.ts';
import { ROLE_NAMES } from '../../../db/set-up-roles.ts';
import { readStanding } from '../../../db/standing.ts';
import type { Config } from '../../config.ts';
import { LetheError } from '../../domain/errors.ts';
import { lookUpPlaces } from '../../embedded/places.ts';
import { startEmbeddedPostgres } from '../../embedded/start-embedded-postgres.ts';
import { isThisMachine } from '../api-address.ts';
import { codeOf, fail, ok, warn, type ClockReading, type Finding, type Look } from './finding.ts';
import { lookAtRights, type ServiceLogin } from './rights.ts';

const PART = 'database';
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Looks at the configured database and changes nothing in it. An embedded one that is not running is started for the
 * look; one that was never set up is left so.
 */
export async function lookAtDatabase(config: Config, now: () => number): Promise<Look> {
  if (config.database.kind === 'url') {
    const { url, migrationUrl } = config.database;
    return lookAt(url, { now, migrates: migrationUrl !== undefined, serviceRole: undefined });
  }
  const { directory } = config.database;
  if ((await lookUpPlaces(directory)) === undefined) {
    const finding = warn(
      PART,
      `There is no embedded Postgres in ${directory} yet.`,
      'The first start makes it.',
    );
    return { findings: [finding], clock: undefined };
  }
  const keyFile = join(config.dataDirectory, 'master-key');
  const findings =
    config.masterKey !== undefined || existsSync(keyFile)
      ? []
      : [
          fail(
            'master key',
            `${keyFile} is gone; without it no open request can be carried out.`,
            'Bring it back from the backup before Lethe starts: it would make another one.',
          ),
        ];
  const embedded = await lookAtEmbedded(directory, now);
  return { ...embedded, findings: [...findings, ...embedded.findings] };
}

async function lookAtEmbedded(directory: string, now: () => number): Promise<Look> {
  try {
    const server = await startEmbeddedPostgres({ directory });
    try {
      return await lookAt(server.connectionString, { now, migrates: true, serviceRole: ROLE_NAMES.service });
    } finally {
      await server.stop();
    }
  } catch (error) {
    if (!(error instanceof LetheError)) throw error;
    return nothing(
      fail(
        PART,
        `The embedded Postgres does not start: ${error.message}`,
        `docs/errors.md tells of ${error.code}.`,
      ),
    );
  }
}

function nothing(finding: Finding): Look {
  return { findings: [finding], clock: undefined };
}

interface Circumstances extends ServiceLogin {
  readonly now: () => number;
}

async function lookAt(url: string, circumstances: Circumstances): Promise<Look> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
    application_name: 'lethe-doctor',
  });
  // The failing query reports a lost connection; without a listener it would also end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await examine(client, circumstances);
  } catch (error) {
    return nothing(describeRefusal(error, client));
  } finally {
    await client.end().catch(() => undefined);
  }
}

const facts = z.tuple([
  z.object({
    version: z.string(),
    standby: z.boolean(),
    read_only: z.boolean(),
    read_only_from: z.string(),
  }),
]);
const FACTS = `SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS standby,
  current_setting('transaction_read_only')::boolean AS read_only,
  (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS read_only_from`;

async function examine(client: pg.Client, circumstances: Circumstances): Promise<Look> {
  const clock = await readClock(client, circumstances.now);
  const [{ version, standby, read_only: readOnly, read_only_from: from }] = facts.parse(
    (await client.query(FACTS)).rows,
  );
  const findings: Finding[] = [ok(PART, `Postgres ${version} answers at ${placeOf(client)}.`)];
  if (standby) {
    findings[0] = fail(
      PART,
      `${placeOf(client)} is a standby: it can only be read.`,
      'Point databaseUrl (DATABASE_URL) at the primary.',
    );
  } else if (readOnly) {
    findings[0] = fail(
      PART,
      `The database at ${placeOf(client)} is read-only: default_transaction_read_only is on, set by ${from}.`,
      'Switch it off there; where somebody set it because the disk was full, make room first.',
    );
  }
  findings.push(await lookAtSchema(client, circumstances));
  findings.push(...(await lookAtRights(client, circumstances)));
  return { findings, clock };
}

const clockRow = z.tuple([z.object({ at: z.date() })]);

async function readClock(client: pg.Client, now: () => number): Promise<ClockReading> {
  const before = now();
  const [{ at }] = clockRow.parse((await client.query('SELECT clock_timestamp() AS at')).rows);
  const sameMachine =
    client.host.startsWith('/') ||
    isThisMachine(`http://${client.host.includes(':') ? `[${client.host}]` : client.host}`);
  return { whose: 'the database', offsetMs: at.getTime() - (before + now()) / 2, sameMachine };
}

const MIGRATE =
  'Run `npm run migrate` with LETHE_MIGRATION_DATABASE_URL, a login that may become the role that owns the tables.';

async function lookAtSchema(client: pg.Client, { migrates }: Circumstances): Promise<Finding> {
  const files = await readMigrationFiles(findMigrationFolder());
  const { login, mayMigrate, readsLedger } = await readStanding(client);
  try {
    if (!readsLedger) return fail('schema', `${login} has no rights on the tables yet.`, MIGRATE);
    const applied = await lookAtLedger(client);
    const pending = findPending(files, applied);
    if (pending.length === 0) return ok('schema', `The schema is up to date (${applied.length} migrations).`);
    const behind = applied.length === 0 ? 'The database is empty' : 'The database is behind';
    const saw = `${behind}: ${pending.length} of ${files.length} migrations are still to be applied.`;
    if (!mayMigrate && !migrates) return fail('schema', `${saw} ${login} may not do that.`, MIGRATE);
    return warn('schema', saw, 'The next start of Lethe applies them, and so does `npm run migrate`.');
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    if (error.code !== 'MIGRATION_NEWER')
      return fail('schema', error.message, `docs/errors.md tells of ${error.code}.`);
    return fail(
      'schema',
      'The schema is newer than this program: a newer Lethe has migrated the database.',
      'Run that version or a later one, or restore the backup made before the update.',
    );
  }
}

/** Host, port and name; never the password. */
function placeOf({ host, port, database }: pg.Client): string {
  return `${host}:${port}/${database ?? ''}`;
}

const REFUSALS: readonly (readonly [RegExp, saw: string, todo: string])[] = [
  [/^ECONNREFUSED/, 'Nothing listens', 'Start Postgres, or correct databaseUrl (DATABASE_URL).'],
  [/^(ENOTFOUND|EAI_AGAIN)/, 'The host name is not known', 'Correct the host in databaseUrl (DATABASE_URL).'],
  [
    /^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|timeout)/,
    'Nothing answers',
    'Look at the network and the firewall between here and there.',
  ],
  [/^28/, 'Postgres refuses the user or the password', 'Correct them in databaseUrl (DATABASE_URL).'],
  [
    /^3D000/,
    'Postgres has no such database',
    'Create it, or correct its name in databaseUrl (DATABASE_URL).',
  ],
  [/^53300/, 'Postgres has no connection left', 'Raise max_connections, or end what holds them.'],
  [/^57P03/, 'Postgres is starting or stopping', 'Wait a moment and look again.'],
  [
    /SSL/i,
    'Postgres and databaseUrl do not agree about TLS',
    'Correct sslmode in databaseUrl (DATABASE_URL).',
  ],
];

function describeRefusal(error: unknown, client: pg.Client): Finding {
  const code = codeOf(error);
  const known = REFUSALS.find(([pattern]) => pattern.test(code));
  if (known !== undefined) return fail(PART, `${known[1]} at ${placeOf(client)}.`, known[2]);
  return fail(PART, `${placeOf(client)} cannot be used (${code}).`, 'Look at the log of Postgres.');
}
