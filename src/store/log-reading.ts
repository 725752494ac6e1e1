import { z } from 'zod';
import type { LogReader, LogTile, LogTilePlace, ReadRun, SignedHead } from '../app/ports/log.ts';
import { listBesideLog } from './beside-log.ts';
import type { Queryable } from './connection.ts';

/** What the log's reader reads. */
export function openReading(db: Queryable): LogReader {
  return {
    countLeaves: () =>
      countOf(
        db,
        'SELECT COALESCE(max(first_leaf + last_seq - first_seq + 1), 0) AS count FROM sealed_events',
      ),
    countUnsealed: () =>
      countOf(db, 'SELECT COALESCE(sum(last_seq - first_seq + 1), 0) AS count FROM unsealed_events'),
    listRuns: (fromLeaf, most) => listRuns(db, fromLeaf, most),
    listTiles: (places) => listTiles(db, places),
    listCheckpoints: () => listCheckpoints(db),
    findHead: () => findHead(db),
    listTrail: (requestId) => listTrail(db, requestId),
    listBesideLog: (most) => listBesideLog(db, most),
  };
}

const counted = z.tuple([z.object({ count: z.coerce.number() })]);

async function countOf(db: Queryable, sql: string): Promise<number> {
  return counted.parse((await db.query(sql)).rows)[0].count;
}

const runs = z.array(
  z
    .object({
      first_leaf: z.coerce.number(),
      request_id: z.string().nullable(),
      first_seq: z.number(),
      events: z.array(z.instanceof(Buffer).nullable()),
    })
    .transform((row): ReadRun => ({
      firstLeaf: row.first_leaf,
      requestId: row.request_id,
      firstSeq: row.first_seq,
      events: row.events,
    })),
);

async function listRuns(db: Queryable, fromLeaf: number, most: number): Promise<readonly ReadRun[]> {
  const { rows } = await db.query(
    `SELECT first_leaf, run.request_id, first_seq, array_agg(COALESCE(of_request.bytes, of_admin.bytes) ORDER BY place.seq) AS events
     FROM (SELECT * FROM sealed_events WHERE first_leaf >= $1 ORDER BY first_leaf LIMIT $2) AS run
     CROSS JOIN LATERAL generate_series(first_seq, last_seq) AS place (seq)
     LEFT JOIN audit_events of_request ON of_request.request_id = run.request_id AND of_request.seq = place.seq
     LEFT JOIN admin_events of_admin ON run.request_id IS NULL AND of_admin.seq = place.seq
     GROUP BY first_leaf, run.request_id, first_seq ORDER BY first_leaf`,
    [fromLeaf, most],
  );
  return runs.parse(rows);
}

const tiles = z.array(
  z.object({ level: z.number(), index: z.coerce.number(), hashes: z.instanceof(Buffer) }),
);

export async function listTiles(db: Queryable, places: readonly LogTilePlace[]): Promise<readonly LogTile[]> {
  const { rows } = await db.query(
    `SELECT level, index, hashes FROM log_tiles JOIN unnest($1::smallint[], $2::bigint[]) AS place (level, index)
       USING (level, index)`,
    [places.map(({ level }) => level), places.map(({ index }) => index)],
  );
  return tiles.parse(rows);
}

export async function findHead(db: Queryable): Promise<SignedHead | undefined> {
  const { rows } = await db.query('SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1');
  return heads.parse(rows)[0];
}

const trail = z.array(
  z.object({ type: z.string(), bytes: z.instanceof(Buffer), leaf: z.coerce.number().nullable() }),
);

async function listTrail(db: Queryable, requestId: string): ReturnType<LogReader['listTrail']> {
  const { rows } = await db.query(
    `SELECT type, bytes, first_leaf + seq - first_seq AS leaf FROM audit_events event
     LEFT JOIN sealed_events sealed ON sealed.request_id = event.request_id AND seq BETWEEN first_seq AND last_seq
     WHERE event.request_id = $1 ORDER BY seq`,
    [requestId],
  );
  return trail.parse(rows);
}

const heads = z.array(z.object({ size: z.coerce.number(), root: z.instanceof(Buffer), note: z.string() }));

async function listCheckpoints(db: Queryable): Promise<readonly SignedHead[]> {
  const { rows } = await db.query('SELECT size, root, note FROM checkpoints ORDER BY size');
  return heads.parse(rows);
}
