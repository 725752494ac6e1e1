import type { ClientBase } from 'pg';
import { z } from 'zod';

/**
 * One row for each table of the current role on which a service's role has other rights than it needs. A service is whom
 * db/roles.sql gave default privileges; the kind of a table is read off it, so that no list has to be kept: what carries
 * the trigger of append-only tables can be added to, the ledger of migrations can be read, everything else is worked with.
 * Rights on single columns and rights to pass rights on are never needed.
 */
const STATEMENTS = `
  WITH service AS (
    SELECT DISTINCT acl.grantee FROM pg_default_acl, aclexplode(defaclacl) AS acl
    WHERE defaclrole = current_user::regrole AND defaclnamespace = current_schema()::regnamespace
      AND defaclobjtype = 'r' AND acl.privilege_type = 'INSERT' AND acl.grantee NOT IN (0, defaclrole)
  ), needed AS (
    SELECT c.oid, relacl, grantee, CASE
      WHEN relname = 'lethe_migrations' THEN '{SELECT}'::text[]
      WHEN EXISTS (SELECT FROM pg_trigger JOIN pg_proc f ON f.oid = tgfoid
                   WHERE tgrelid = c.oid AND proname = 'refuse_change') THEN '{INSERT,SELECT}'
      ELSE '{DELETE,INSERT,SELECT,UPDATE}' END AS privileges
    FROM pg_class c, service
    WHERE relnamespace = current_schema()::regnamespace AND relowner = current_user::regrole AND relkind IN ('r', 'p')
  )
  SELECT format('REVOKE ALL ON %1$s FROM %2$I; GRANT %3$s ON %1$s TO %2$I',
    needed.oid::regclass, rolname, array_to_string(privileges, ', ')) AS statement
  FROM needed JOIN pg_roles r ON r.oid = grantee
  WHERE privileges <> ARRAY(
      SELECT privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END
      FROM aclexplode(relacl) AS has WHERE has.grantee = needed.grantee ORDER BY 1)
    OR EXISTS (SELECT FROM pg_attribute, aclexplode(attacl) AS has
               WHERE attrelid = needed.oid AND has.grantee = needed.grantee)`;

const statements = z.array(z.object({ statement: z.string() }));

/** Gives the service's role what it needs on each table and takes the rest away. Writes nothing where all is right. */
export async function bringServiceRightsUpToDate(client: ClientBase): Promise<void> {
  for (const { statement } of statements.parse((await client.query(STATEMENTS)).rows))
    await client.query(statement);
}
