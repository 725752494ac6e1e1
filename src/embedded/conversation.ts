import path from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { EMBEDDED_DATABASE, EMBEDDED_USER } from './cluster.ts';
import { codeOf } from './embedded-error.ts';

/** How to reach an embedded Postgres. */
export interface Address {
  readonly port: number;
  readonly password: string;
}

/**
 * What came back: `ready`, `starting` (also recovering or shutting down), `silent` (nothing, or no sense),
 * `refuses_password`, `another_folder` (takes our password, but serves a copy of our data elsewhere).
 */
export type Answer = 'ready' | 'starting' | 'silent' | 'refuses_password' | 'another_folder';

const ANSWER_TIMEOUT_MS = 2_000;
/** SQLSTATE cannot_connect_now and too_many_connections: it lives, and will take us later. */
const LATER = ['57P03', '53300'];
/** SQLSTATE invalid_password and invalid_authorization_specification. */
const REFUSED = ['28P01', '28000'];
/** SQLSTATE duplicate_database, and the unique index behind it when two create it in the same instant. */
const EXISTS_ALREADY = ['42P04', '23505'];

const folderRows = z.tuple([z.object({ data_directory: z.string() })]);

/** Asks whoever listens on the port whether it is the Postgres that serves `dataFolder` with our password. */
export async function ask(address: Address, dataFolder: string): Promise<Answer> {
  try {
    return await withClient(address, async (client) => {
      const [row] = folderRows.parse((await client.query('SHOW data_directory')).rows);
      return path.resolve(row.data_directory) === path.resolve(dataFolder) ? 'ready' : 'another_folder';
    });
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (LATER.includes(code)) return 'starting';
    return REFUSED.includes(code) ? 'refuses_password' : 'silent';
  }
}

/** A connection that is kept open for as long as its process uses the server. */
export interface Presence {
  /** Resolves once the server has seen the connection end. */
  end(): Promise<void>;
}

/** Stands in pg_stat_activity for every process that uses the server. */
const PRESENCE = 'lethe-embedded';

/**
 * Takes up a presence on the server, and creates the database when it is missing. Several processes may do so at
 * once. The open connection alone does not keep the process alive.
 */
export async function openPresence(address: Address): Promise<Presence> {
  const pool = new pg.Pool({
    ...clientOptions(address),
    application_name: PRESENCE,
    max: 1,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  });
  // Without a listener, a server that goes away would end the process.
  pool.on('error', () => undefined);
  try {
    await ensureDatabase(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return { end: () => pool.end() };
}

async function ensureDatabase(pool: pg.Pool): Promise<void> {
  const found = await pool.query('SELECT FROM pg_database WHERE datname = $1', [EMBEDDED_DATABASE]);
  if (found.rowCount === 1) return;
  await pool.query(`CREATE DATABASE ${EMBEDDED_DATABASE}`).catch((error: unknown) => {
    if (!EXISTS_ALREADY.includes(codeOf(error) ?? '')) throw error;
  });
}

const countRows = z.tuple([z.object({ present: z.number() })]);

/** How many processes use the server; none when it does not answer. */
export async function countPresences(address: Address): Promise<number> {
  const sql = 'SELECT count(*)::int AS present FROM pg_stat_activity WHERE application_name = $1';
  const counting = withClient(address, async (client) => {
    const [{ present }] = countRows.parse((await client.query(sql, [PRESENCE])).rows);
    return present;
  });
  return counting.catch(() => 0);
}

/** The URL for clients. The password is hexadecimal, so nothing in it needs escaping. */
export function connectionStringOf(address: Address): string {
  return `postgresql://${EMBEDDED_USER}:${address.password}@127.0.0.1:${address.port}/${EMBEDDED_DATABASE}`;
}

async function withClient<T>(address: Address, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(clientOptions(address));
  // Without a listener, a server that goes away in the middle would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function clientOptions(address: Address): pg.ClientConfig {
  return {
    host: '127.0.0.1',
    port: address.port,
    user: EMBEDDED_USER,
    password: address.password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
  };
}
