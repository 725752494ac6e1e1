import { z } from 'zod';
import { REPLY_STATES, type ReplyState } from '../domain/callback.ts';
import type { Queryable } from './connection.ts';

const states = z.array(z.object({ request_id: z.string(), state: z.enum(REPLY_STATES) }));

/** How it stands with the answers to the tickets of these requests; those without any are left out. */
export async function listReplyStates(
  db: Queryable,
  requestIds: readonly string[],
): Promise<ReadonlyMap<string, ReplyState>> {
  const { rows } = await db.query(
    `SELECT request_id, CASE
         WHEN bool_or(state = 'failed') THEN 'failed'
         WHEN bool_or(state = 'waiting' AND attempts > 0) THEN 'failing'
         WHEN bool_or(state = 'waiting') THEN 'waiting'
         ELSE 'delivered' END AS state
     FROM deliveries WHERE callback_id IS NULL AND request_id = ANY ($1) GROUP BY request_id`,
    [requestIds],
  );
  return new Map(states.parse(rows).map(({ request_id: id, state }) => [id, state]));
}
