import type { ClientBase } from 'pg';
import { z } from 'zod';

/** What a login may do about the schema it finds. db/roles.sql sets the roles up. */
export interface Standing {
  readonly login: string;
  /** The role that migrates, in quotes where SQL needs them; null where no roles were set up: then it is the login. */
  readonly owner: string | null;
  readonly mayMigrate: boolean;
  /** Whether the ledger can be read: not between db/roles.sql and the migration after it. */
  readonly readsLedger: boolean;
}

const row = z.object({
  login: z.string(),
  owner: z.string().nullable(),
  may_migrate: z.boolean(),
  reads_ledger: z.boolean(),
});

/**
 * Roles were set up where the schema's owner cannot log in and gives somebody default privileges on its tables. Without
 * them, who owns the ledger migrates, and in an empty database whoever may create tables.
 */
const STANDING = `
  SELECT quote_ident(current_user) AS login, CASE WHEN set_up THEN quote_ident(o.rolname) END AS owner,
    CASE WHEN set_up THEN pg_has_role(o.oid, 'MEMBER')
         WHEN ledger.oid IS NULL THEN has_schema_privilege(n.oid, 'CREATE')
         ELSE pg_has_role(ledger.relowner, 'USAGE') END AS may_migrate,
    ledger.oid IS NULL OR has_table_privilege(ledger.oid, 'SELECT') AS reads_ledger
  FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
    CROSS JOIN LATERAL (SELECT NOT o.rolcanlogin AND EXISTS (SELECT FROM pg_default_acl
      WHERE defaclrole = o.oid AND defaclnamespace = n.oid AND defaclobjtype = 'r') AS set_up) AS roles
    LEFT JOIN pg_class ledger ON relnamespace = n.oid AND relname = 'lethe_migrations' AND relkind = 'r'
  WHERE n.nspname = current_schema()`;

/** Changes nothing. A login that sees no schema at all may not migrate. */
export async function readStanding(client: ClientBase): Promise<Standing> {
  const { rows } = await client.query(STANDING);
  const [found] = z.array(row).parse(rows);
  if (found === undefined) return { login: 'the login', owner: null, mayMigrate: false, readsLedger: true };
  const { login, owner, may_migrate: mayMigrate, reads_ledger: readsLedger } = found;
  return { login, owner, mayMigrate, readsLedger };
}
