import { z } from 'zod';
import type { Queryable } from './connection.ts';

/** Key of the advisory lock under which the trail is written to; spells "keys". */
const LOCK_KEY = 0x6b657973;

const next = z.tuple([z.object({ seq: z.number() })]);

/** The next event's place. One writer at a time, until its transaction ends, so that the trail has no gap. */
export async function lockAdminTrail(db: Queryable): Promise<number> {
  await db.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
  // A statement of its own: only now is what the one before has written to be seen.
  const { rows } = await db.query('SELECT COALESCE(max(seq) + 1, 0) AS seq FROM admin_events');
  return next.parse(rows)[0].seq;
}

export async function insertAdminEvent(
  db: Queryable,
  event: { seq: number; type: string; bytes: Uint8Array },
): Promise<void> {
  await db.query('INSERT INTO admin_events (seq, type, bytes) VALUES ($1, $2, $3)', [
    event.seq,
    event.type,
    event.bytes,
  ]);
}

const page = z.array(z.object({ bytes: z.instanceof(Buffer) }));

/** The bytes of the events after a place in the trail. */
export async function listAdminEventBytes(
  db: Queryable,
  query: { after: number; limit: number },
): Promise<readonly Uint8Array[]> {
  const { rows } = await db.query('SELECT bytes FROM admin_events WHERE seq > $1 ORDER BY seq LIMIT $2', [
    query.after,
    query.limit,
  ]);
  return page.parse(rows).map((event) => event.bytes);
}
