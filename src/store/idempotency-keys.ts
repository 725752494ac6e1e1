import { z } from 'zod';
import type { AnswerKey, FirstAnswer } from '../app/ports.ts';
import type { Queryable } from './connection.ts';

const row = z.array(
  z.object({ fingerprint: z.instanceof(Buffer), request_id: z.string(), body: z.string() }),
);

/**
 * Reserves the key, or gives what it was first answered with. Where another transaction holds the key, the insert
 * waits until that one has ended.
 */
export async function reserveAnswer(
  db: Queryable,
  key: AnswerKey,
  fingerprint: Uint8Array,
): Promise<FirstAnswer | undefined> {
  const { rowCount } = await db.query(
    'INSERT INTO idempotency_keys (api_key_id, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    [key.apiKeyId, key.key, fingerprint],
  );
  if (rowCount === 1) return undefined;
  const { rows } = await db.query(
    'SELECT fingerprint, request_id, body FROM idempotency_keys WHERE api_key_id = $1 AND key = $2',
    [key.apiKeyId, key.key],
  );
  const [first] = row.parse(rows);
  return first && { fingerprint: first.fingerprint, requestId: first.request_id, body: first.body };
}

export async function fillAnswer(
  db: Queryable,
  key: AnswerKey,
  answer: Omit<FirstAnswer, 'fingerprint'>,
): Promise<void> {
  await db.query(
    'UPDATE idempotency_keys SET request_id = $3, body = $4 WHERE api_key_id = $1 AND key = $2',
    [key.apiKeyId, key.key, answer.requestId, answer.body],
  );
}
