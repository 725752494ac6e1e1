import type pg from 'pg';
import { z } from 'zod';
import type { EventRun, LogKey, LogStore, LogTile, SealedRun, SealTransaction } from '../app/ports/log.ts';
import { available, inSnapshot, inTransaction, type Queryable } from './connection.ts';
import { findHead, listTiles, openReading } from './log-reading.ts';

/** Key of the advisory lock under which the log is sealed; spells "seal". */
const LOCK_KEY = 0x7365616c;

/** The log in Postgres. */
export function createLogStore(pool: pg.Pool): LogStore {
  return {
    seal: (use) => inTransaction(pool, (db) => use(openSealing(db))),
    hasUnsealed: async () => {
      const { rowCount } = await available(pool.query('SELECT FROM unsealed_events LIMIT 1'));
      return rowCount === 1;
    },
    getLag: () => available(getLag(pool)),
    findHead: () => available(findHead(pool)),
    read: (use) => inSnapshot(pool, (db) => use(openReading(db))),
    listKeys: () => available(listKeys(pool)),
    keepKey: (key) => available(keepKey(pool, key)),
  };
}

function openSealing(db: Queryable): SealTransaction {
  return {
    lockLog: () => lockLog(db),
    takeUnsealed: (most) => takeUnsealed(db, most),
    listRunBytes: (runs) => listRunBytes(db, runs),
    findHead: () => findHead(db),
    listTiles: (places) => listTiles(db, places),
    insertSealed: async (runs, { head, tiles }) => {
      await insertRuns(db, runs);
      await putTiles(db, tiles);
      await db.query('INSERT INTO checkpoints (size, root, note) VALUES ($1, $2, $3)', [
        head.size,
        head.root,
        head.note,
      ]);
    },
  };
}

const locked = z.tuple([z.object({ locked: z.boolean() })]);

async function lockLog(db: Queryable): Promise<boolean> {
  const { rows } = await db.query('SELECT pg_try_advisory_xact_lock($1) AS locked', [LOCK_KEY]);
  return locked.parse(rows)[0].locked;
}

const run = z
  .object({ request_id: z.string().nullable(), first_seq: z.number(), last_seq: z.number() })
  .transform((row): EventRun => ({
    requestId: row.request_id,
    firstSeq: row.first_seq,
    lastSeq: row.last_seq,
  }));

async function takeUnsealed(db: Queryable, most: number): Promise<readonly EventRun[]> {
  const { rows } = await db.query(
    `WITH taken AS (
       DELETE FROM unsealed_events WHERE id IN (SELECT id FROM unsealed_events ORDER BY id LIMIT $1)
       RETURNING id, request_id, first_seq, last_seq
     )
     SELECT request_id, first_seq, last_seq FROM taken ORDER BY id`,
    [most],
  );
  return z.array(run).parse(rows);
}

const eventBytes = z.array(z.object({ bytes: z.instanceof(Buffer) }));

async function listRunBytes(db: Queryable, runs: readonly EventRun[]): Promise<readonly Uint8Array[]> {
  const { rows } = await db.query(
    `WITH runs AS (
       SELECT * FROM unnest($1::text[], $2::int[], $3::int[]) WITH ORDINALITY AS run (request_id, first_seq, last_seq, place)
     )
     SELECT bytes FROM (
       SELECT place, seq, bytes FROM runs JOIN audit_events USING (request_id) WHERE seq BETWEEN first_seq AND last_seq
       UNION ALL
       SELECT place, seq, bytes FROM runs JOIN admin_events ON seq BETWEEN first_seq AND last_seq WHERE request_id IS NULL
     ) AS events ORDER BY place, seq`,
    columnsOf(runs),
  );
  return eventBytes.parse(rows).map(({ bytes }) => bytes);
}

function columnsOf(runs: readonly EventRun[]): [(string | null)[], number[], number[]] {
  return [
    runs.map(({ requestId }) => requestId),
    runs.map(({ firstSeq }) => firstSeq),
    runs.map(({ lastSeq }) => lastSeq),
  ];
}

async function insertRuns(db: Queryable, runs: readonly SealedRun[]): Promise<void> {
  await db.query(
    `INSERT INTO sealed_events (request_id, first_seq, last_seq, first_leaf)
     SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[])`,
    [...columnsOf(runs), runs.map(({ firstLeaf }) => firstLeaf)],
  );
}

async function putTiles(db: Queryable, put: readonly LogTile[]): Promise<void> {
  await db.query(
    `INSERT INTO log_tiles (level, index, hashes) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
     ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes`,
    [put.map(({ level }) => level), put.map(({ index }) => index), put.map(({ hashes }) => hashes)],
  );
}

const lag = z.tuple([z.object({ runs: z.coerce.number(), seconds: z.coerce.number() })]);

async function getLag(db: Queryable): ReturnType<LogStore['getLag']> {
  const { rows } = await db.query(
    `SELECT count(*) AS runs, COALESCE(extract(epoch FROM now() - min(written_at)), 0) AS seconds FROM unsealed_events`,
  );
  const [{ runs, seconds }] = lag.parse(rows);
  return { runs, oldestSeconds: seconds };
}

const keys = z.array(
  z
    .object({ origin: z.string(), verifier_key: z.string(), private_sealed: z.instanceof(Buffer) })
    .transform((row): LogKey => ({
      origin: row.origin,
      verifierKey: row.verifier_key,
      privateSealed: row.private_sealed,
    })),
);

async function listKeys(db: Queryable): Promise<readonly LogKey[]> {
  const { rows } = await db.query(
    'SELECT origin, verifier_key, private_sealed FROM log_keys ORDER BY created_at',
  );
  return keys.parse(rows);
}

async function keepKey(db: Queryable, offered: LogKey): Promise<LogKey> {
  await db.query(
    `INSERT INTO log_keys (origin, verifier_key, private_sealed) VALUES ($1, $2, $3) ON CONFLICT (origin) DO NOTHING`,
    [offered.origin, offered.verifierKey, offered.privateSealed],
  );
  const kept = (await listKeys(db)).find(({ origin }) => origin === offered.origin);
  if (kept === undefined) throw new Error(`the key of the log ${offered.origin} is gone`);
  return kept;
}
