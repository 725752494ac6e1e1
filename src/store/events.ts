import { z } from 'zod';
import type { Queryable } from './connection.ts';

const page = z.array(z.object({ bytes: z.instanceof(Buffer) }));

/** The bytes of a request's events after a place in its trail; undefined when there is no such request. */
export async function listEventBytes(
  db: Queryable,
  query: { requestId: string; after: number; limit: number },
): Promise<readonly Uint8Array[] | undefined> {
  const { rows } = await db.query(
    'SELECT bytes FROM audit_events WHERE request_id = $1 AND seq > $2 ORDER BY seq LIMIT $3',
    [query.requestId, query.after, query.limit],
  );
  const events = page.parse(rows).map((event) => event.bytes);
  if (events.length > 0) return events;
  const known = await db.query('SELECT 1 FROM erasure_requests WHERE id = $1', [query.requestId]);
  return known.rowCount === 0 ? undefined : [];
}
