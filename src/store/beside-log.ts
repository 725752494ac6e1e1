import { z } from 'zod';
import type { EventRun } from '../app/ports/log.ts';
import type { Queryable } from './connection.ts';

interface EventKey {
  /** Null for the trail of what concerns no request. */
  readonly requestId: string | null;
  readonly seq: number;
}

/** Events looked at in one statement, so that none takes long, however large the log is. */
const EVENTS_AT_A_TIME = 20_000;

/** Beside those that no run of the log has, the last of the page, so that the next one begins after it. */
const pageOf = (page: string, run: string) => `
  WITH page AS MATERIALIZED (
    SELECT *, lead(seq) OVER (ORDER BY request_id, seq) IS NULL AS last
    FROM (${page} ORDER BY request_id, seq LIMIT ${EVENTS_AT_A_TIME}) AS event
  ), looked_up AS (
    SELECT page.*, COALESCE((
      SELECT last_seq FROM sealed_events run WHERE ${run} AND first_seq <= page.seq ORDER BY first_seq DESC LIMIT 1
    ) >= seq, false) AS sealed FROM page
  )
  SELECT request_id, seq, sealed, last FROM looked_up WHERE last OR NOT sealed ORDER BY request_id, seq`;

const PAGES = [
  pageOf(
    'SELECT request_id, seq FROM audit_events WHERE (request_id, seq) > ($1::text, $2::integer)',
    'run.request_id = page.request_id',
  ),
  pageOf(
    `SELECT NULL::text AS request_id, seq FROM admin_events WHERE $1::text = '' AND seq > $2::integer`,
    'run.request_id IS NULL',
  ),
];

const rows = z.array(
  z
    .object({ request_id: z.string().nullable(), seq: z.number(), sealed: z.boolean(), last: z.boolean() })
    .transform(({ request_id: requestId, ...row }) => ({ requestId, ...row })),
);

/** Events that are neither sealed nor wait for it, in the order of their trails; some pages of each are read. */
export async function listBesideLog(db: Queryable, most: number): Promise<readonly EventKey[]> {
  const beside: EventKey[] = [];
  for (const sql of PAGES) {
    for (let after: EventKey | undefined = { requestId: null, seq: -1 }; after !== undefined;) {
      const page = rows.parse((await db.query(sql, [after.requestId ?? '', after.seq])).rows);
      beside.push(
        ...(await notWaiting(
          db,
          page.filter(({ sealed }) => !sealed),
        )),
      );
      if (beside.length >= most) return beside.slice(0, most);
      after = page.at(-1);
    }
  }
  return beside;
}

const waiting = z.array(
  z
    .object({ request_id: z.string().nullable(), first_seq: z.number(), last_seq: z.number() })
    .transform((row) => ({ requestId: row.request_id, firstSeq: row.first_seq, lastSeq: row.last_seq })),
);

async function notWaiting(db: Queryable, keys: readonly EventKey[]): Promise<readonly EventKey[]> {
  if (keys.length === 0) return [];
  const found = await db.query(
    `SELECT request_id, first_seq, last_seq FROM unsealed_events
     WHERE request_id = ANY ($1::text[]) OR request_id IS NULL`,
    [[...new Set(keys.map(({ requestId }) => requestId))]],
  );
  const runs = new Map<string | null, EventRun[]>();
  for (const run of waiting.parse(found.rows))
    runs.set(run.requestId, [...(runs.get(run.requestId) ?? []), run]);
  const waits = ({ requestId, seq }: EventKey) =>
    runs.get(requestId)?.some(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq) === true;
  return keys.filter((key) => !waits(key)).map(({ requestId, seq }) => ({ requestId, seq }));
}
