import pg from 'pg';
import { z } from 'zod';

/** The column `name` of what a query finds. */
export async function namesIn(db: pg.Pool, sql: string, values: readonly string[] = []): Promise<string[]> {
  const { rows } = await db.query(sql, [...values]);
  return z
    .array(z.object({ name: z.string() }))
    .parse(rows)
    .map(({ name }) => name);
}

/** The tables with the trigger of append-only tables. */
export const appendOnlyTables = (db: pg.Pool): Promise<string[]> =>
  namesIn(
    db,
    `SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger JOIN pg_proc f ON f.oid = tgfoid
     WHERE proname = 'refuse_change'`,
  );

/** What the service needs on each table. */
export async function neededRights(db: pg.Pool): Promise<Map<string, string[]>> {
  const appendOnly = await appendOnlyTables(db);
  const needed = [...(await rightsOf(db, 'public')).keys()].map((table): [string, string[]] => {
    if (table === 'lethe_migrations') return [table, ['SELECT']];
    return [
      table,
      appendOnly.includes(table) ? ['SELECT', 'INSERT'] : ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    ];
  });
  return new Map(needed);
}

/** Runs `work` on a connection of its own. */
export async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** What Postgres says to a statement: SQLSTATE and message, or that it was done. Nothing stays of it. */
export async function said(client: pg.Client, sql: string): Promise<string> {
  await client.query('SAVEPOINT before');
  try {
    await client.query(sql);
    return 'done';
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    return `${error.code ?? ''} ${error.message}`;
  } finally {
    await client.query('ROLLBACK TO before');
  }
}

/** What Postgres says to each statement of this login. */
export const saidTo = (url: string, statements: readonly string[]): Promise<string[][]> =>
  connected(url, async (client) => {
    await client.query('BEGIN');
    const answers: string[][] = [];
    for (const sql of statements) answers.push([sql, await said(client, sql)]);
    return answers;
  });

const rightsRows = z.array(z.object({ name: z.string(), rights: z.array(z.string()) }));

/** What a role may do on each of our tables, single columns included. */
export async function rightsOf(db: pg.Pool, role: string): Promise<Map<string, string[]>> {
  const sql = `SELECT relname AS name, ARRAY(
      SELECT privilege FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege
      WHERE has_table_privilege($1, c.oid, privilege)
        OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, c.oid, privilege)
    ) AS rights
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`;
  const rows = rightsRows.parse((await db.query(sql, [role])).rows);
  return new Map(rows.map(({ name, rights }) => [name, rights]));
}
