import pg from 'pg';
import { z } from 'zod';
import { LetheError } from '../domain/errors.ts';

/** A pool, or one connection inside a transaction. */
export type Queryable = Pick<pg.Pool, 'query'>;

/** The database does not answer or has no room. What was asked was not done; it may be asked again. Code STORE_UNAVAILABLE. */
export class StoreUnavailableError extends LetheError {
  constructor(cause: unknown) {
    super('STORE_UNAVAILABLE', 'The database does not answer.', { cause });
  }
}

export interface PoolOptions {
  readonly connectionString: string;
  /** At most this many connections. */
  readonly max: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
}

/** A pool whose every wait is bounded: for a connection, for a statement, for a lock. */
export function createPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    query_timeout: 35_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
  });
  // An idle connection that drops is replaced at its next use; without a listener the process would end.
  pool.on('error', () => undefined);
  return pool;
}

/** What is done in a transaction; `now` is the database's time of it, `opened` the rows of each opening statement. */
type InTransaction<T> = (client: Queryable, now: Date, opened: readonly Rows[]) => Promise<T>;
export type Rows = readonly unknown[];

const results = z.array(z.object({ rows: z.array(z.unknown()) }));
const clock = z.tuple([z.object({ now: z.date() })]);

/** Runs statements without parameters in one message: a round trip costs more than most of them. */
export async function queryAll(db: Queryable, statements: readonly string[]): Promise<readonly Rows[]> {
  return results.parse(await db.query(statements.join('; '))).map(({ rows }) => rows);
}

const RETRYABLE = new Set(['40001', '40P01']);
const MAX_TRIES = 5;

/**
 * Runs `work` in one transaction (READ COMMITTED); tries again from the start after a deadlock or a serialization
 * failure.
 *
 * @param opening statements without parameters to begin with, each with a snapshot of its own
 * @throws StoreUnavailableError when the database cannot be reached or goes away
 */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: InTransaction<T>,
  opening: readonly string[] = [],
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(pool, work, ['BEGIN', 'SELECT now() AS now', ...opening]);
    } catch (error) {
      if (attempt < MAX_TRIES && RETRYABLE.has(codeOf(error))) continue;
      throw translated(error);
    }
  }
}

const BEGIN_SNAPSHOT = ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', 'SELECT now() AS now'];

/** Runs reads that are all of one moment, however long they take. */
export async function inSnapshot<T>(pool: pg.Pool, work: InTransaction<T>): Promise<T> {
  return available(once(pool, work, BEGIN_SNAPSHOT));
}

/** Longer than the API waits for a caller to take what was read. */
const TAKEN_WITHIN_MS = 90_000;

/**
 * As inSnapshot, for what is handed on while it is read: the snapshot ends with the iteration, however that ends. Who
 * makes one begins to take from it at once, since nothing else gives the connection back.
 */
export async function* throughSnapshot<T>(
  pool: pg.Pool,
  read: (client: Queryable) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const { client, rollBack, giveBack } = await available(borrow(pool));
  try {
    const patience = `SET LOCAL idle_in_transaction_session_timeout = ${TAKEN_WITHIN_MS}`;
    await queryAll(client, [...BEGIN_SNAPSHOT, patience]);
    yield* read(client);
  } catch (error) {
    throw translated(error);
  } finally {
    // Nothing was written, so nothing is committed: this is also how an iteration ends that nobody goes on with.
    await rollBack();
    giveBack();
  }
}

async function once<T>(pool: pg.Pool, work: InTransaction<T>, begin: readonly string[]): Promise<T> {
  const { client, rollBack, giveBack } = await borrow(pool);
  try {
    const [, time, ...opened] = await queryAll(client, begin);
    const result = await work(client, clock.parse(time)[0].now, opened);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await rollBack();
    throw error;
  } finally {
    giveBack();
  }
}

interface Borrowed {
  readonly client: pg.PoolClient;
  /** Never throws. */
  readonly rollBack: () => Promise<void>;
  readonly giveBack: () => void;
}

/** One connection of the pool, until it is given back. */
async function borrow(pool: pg.Pool): Promise<Borrowed> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // The pool listens only while a connection is idle: one that is lost in use would, unheard, end the process.
  const lost = (error: Error) => {
    broken = error;
  };
  client.on('error', lost);
  return {
    client,
    rollBack: async () => {
      await client.query('ROLLBACK').catch((failure: unknown) => {
        broken = failure instanceof Error ? failure : new Error('rollback failed');
      });
    },
    giveBack: () => {
      client.off('error', lost);
      // A connection that cannot even roll back is thrown away, not given back to the pool.
      client.release(broken);
    },
  };
}

/** Runs one statement outside a transaction, with the same translation of failures. */
export async function available<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translated(error);
  }
}

/** By shape and not by class: an error of another realm (a test's) is an error, too. */
function codeOf(error: unknown): string {
  const named = typeof error === 'object' && error !== null && 'code' in error;
  return named && typeof error.code === 'string' ? error.code : '';
}

/** What pg says without a code; the last of it where a connection was lost between two statements. */
const LOST =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|is not queryable/;

/** SQLSTATE classes 08 (connection), 53 (resources), 57P0x (shutdown) and the sockets' own errors. */
function translated(error: unknown): unknown {
  const code = codeOf(error);
  if (/^(08|53|57P0)/.test(code) || /^E[A-Z]+$/.test(code)) return new StoreUnavailableError(error);
  const message = error instanceof Error ? error.message : '';
  return LOST.test(message) ? new StoreUnavailableError(error) : error;
}
