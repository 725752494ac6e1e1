import type pg from 'pg';
import { z } from 'zod';
import { fail, ok, warn, type Finding } from './finding.ts';

const PART = 'rights';
const SET_UP =
  'Set up the roles as docs/operations.md (Database roles) tells: psql -f db/roles.sql, npm run migrate, and databaseUrl (DATABASE_URL) with lethe_service.';

const MIGRATES = warn(
  PART,
  'The service is given the login that migrates, too.',
  'Leave LETHE_MIGRATION_DATABASE_URL (migrationDatabaseUrl) to `npm run migrate` alone.',
);

const roleRow = z.object({
  name: z.string(),
  superuser: z.boolean(),
  /** Attributes beyond LOGIN, as in `CREATEDB`. */
  attributes: z.array(z.string()),
  owns_database: z.boolean(),
  may_create: z.boolean(),
});
const ROLE = `
  SELECT quote_ident(rolname) AS name, rolsuper AS superuser, array_remove(ARRAY[
      CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
      CASE WHEN rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN rolreplication THEN 'REPLICATION' END], NULL) AS attributes,
    (SELECT pg_has_role(r.oid, datdba, 'MEMBER') FROM pg_database WHERE datname = current_database()) AS owns_database,
    coalesce(has_schema_privilege(r.oid, to_regnamespace(quote_ident(current_schema())), 'CREATE'), false) AS may_create
  FROM pg_roles r WHERE rolname = $1`;

const tableRow = z.object({
  name: z.string(),
  owner: z.string(),
  /** Whether the role is the owner, or may become it. */
  owned: z.boolean(),
  /** Rights of the role that something that is only added to needs of nobody. */
  excess: z.array(z.string()),
  /** What nothing refuses, or not always. */
  unrefused: z.array(z.string()),
  /** Triggers of the refusal that are off, or fire in usual sessions only. */
  sleeping: z.array(z.string()),
});
type Table = z.infer<typeof tableRow>;

/** What this version keeps as evidence, in case that a table has lost all of its triggers. */
const EVIDENCE = ['audit_events', 'admin_events', 'sealed_events', 'checkpoints'];

/** Bits of tgtype: 1 for each row, 2 before, 8 DELETE, 16 UPDATE, 32 TRUNCATE. */
const TABLES = `
  WITH refusal AS (
    SELECT t.* FROM pg_trigger t JOIN pg_proc f ON f.oid = tgfoid
    WHERE proname = 'refuse_change' AND NOT tgisinternal
  )
  SELECT c.oid::regclass::text AS name, quote_ident(pg_get_userbyid(relowner)) AS owner,
    pg_has_role($1, relowner, 'MEMBER') AS owned,
    ARRAY(SELECT p FROM unnest('{UPDATE,DELETE,TRUNCATE,TRIGGER}'::text[]) AS p
      WHERE has_table_privilege($1, c.oid, p)
        OR p = 'UPDATE' AND has_any_column_privilege($1, c.oid, 'UPDATE')) AS excess,
    ARRAY(SELECT what FROM (VALUES ('UPDATE', 16, 1), ('DELETE', 8, 1), ('TRUNCATE', 32, 0)) AS change (what, bit, for_row)
      WHERE NOT EXISTS (SELECT FROM refusal
        WHERE tgrelid = c.oid AND tgtype & bit <> 0 AND tgtype & 2 <> 0 AND tgtype & 1 = for_row
          AND tgenabled = 'A' AND tgqual IS NULL AND tgattr = ''::int2vector)) AS unrefused,
    ARRAY(SELECT quote_ident(tgname) FROM refusal WHERE tgrelid = c.oid AND tgenabled <> 'A' ORDER BY 1) AS sleeping
  FROM pg_class c
  WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relkind IN ('r', 'p')
    AND (relname = ANY ($2) OR EXISTS (SELECT FROM refusal WHERE tgrelid = c.oid))
  ORDER BY relname COLLATE "C"`;

/** Who the service is, where an administrator may be the one who looks. */
export interface ServiceLogin {
  /** What the service connects as; undefined where it is the one that looks. */
  readonly serviceRole: string | undefined;
  /** Another login migrates at the next start. */
  readonly migrates: boolean;
}

/**
 * Whether the service's role can do more to the audit tables than add to them, and whether the triggers stand that refuse more to
 * anybody. Reads the catalog alone, as whoever asks.
 */
export async function lookAtRights(
  client: pg.Client,
  { serviceRole, migrates }: ServiceLogin,
): Promise<readonly Finding[]> {
  const name = serviceRole ?? (await currentUser(client));
  const [role] = z.array(roleRow).parse((await client.query(ROLE, [name])).rows);
  const tables =
    role === undefined ? [] : z.array(tableRow).parse((await client.query(TABLES, [name, EVIDENCE])).rows);
  // Before the first migration there is nothing to protect.
  if (role === undefined || tables.length === 0) return [];
  const findings = [...tables.flatMap(judgeTriggers), ...judgeRole(role, tables)];
  if (migrates && serviceRole === undefined) findings.push(MIGRATES);
  if (findings.length > 0) return findings;
  const saw = `The service (${role.name}) can add to the ${tables.length} audit tables, and change none of them.`;
  return [ok(PART, saw)];
}

const userRow = z.tuple([z.object({ name: z.string() })]);

async function currentUser(client: pg.Client): Promise<string> {
  return userRow.parse((await client.query('SELECT current_user AS name')).rows)[0].name;
}

function judgeTriggers({ name, unrefused, sleeping }: Table): Finding[] {
  if (unrefused.length === 0) return [];
  const wake = sleeping.map((trigger) => `ALTER TABLE ${name} ENABLE ALWAYS TRIGGER ${trigger};`).join(' ');
  const todo = wake === '' ? 'Restore it from db/schema.sql' : wake;
  const saw = `Nothing refuses ${unrefused.join(', ')} on ${name} in every session: a trigger is gone or off.`;
  return [fail(PART, saw, `${todo} Find out who did this, and what was changed meanwhile.`)];
}

function judgeRole(role: z.infer<typeof roleRow>, tables: readonly Table[]): Finding[] {
  const { name } = role;
  if (role.superuser)
    return [
      warn(
        PART,
        `The service connects as ${name}, a superuser, who can remove what protects the audit tables.`,
        SET_UP,
      ),
    ];
  const owned = tables.find((table) => table.owned);
  if (owned !== undefined) {
    const how = owned.owner === name ? 'owns' : `may become ${owned.owner}, who owns`;
    return [
      warn(
        PART,
        `The service connects as ${name}, who ${how} the audit tables and can remove what protects them.`,
        SET_UP,
      ),
    ];
  }
  const findings = tables
    .filter(({ excess }) => excess.length > 0)
    .map((table) => {
      const excess = table.excess.join(', ');
      const todo = `REVOKE ${excess} ON ${table.name} FROM ${name}, PUBLIC;`;
      return warn(PART, `The service's role ${name} has ${excess} on ${table.name}.`, todo);
    });
  const more = beyond(role);
  if (more.length > 0) {
    const saw = `The service's role ${name} can do more than it needs: ${more.map(([what]) => what).join(', ')}.`;
    findings.push(warn(PART, saw, more.map(([, command]) => command).join(' ')));
  }
  return findings;
}

/** What a role can do that no table is about, with the command that ends it. */
function beyond({
  name,
  attributes,
  owns_database,
  may_create,
}: z.infer<typeof roleRow>): [string, string][] {
  const more = attributes.map((one): [string, string] => [one, `ALTER ROLE ${name} NO${one};`]);
  if (owns_database) more.push(['own the database', 'ALTER DATABASE ... OWNER TO another role.']);
  else if (may_create) more.push(['create tables', `REVOKE CREATE ON SCHEMA public FROM ${name}, PUBLIC;`]);
  return more;
}
