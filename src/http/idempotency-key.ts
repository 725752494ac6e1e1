import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { HttpProblem } from './problem.ts';

const expected = '1 to 255 printable ASCII characters';

export const idempotencyKey = z
  .string(expected)
  .min(1, expected)
  .max(255, expected)
  .regex(/^[\x20-\x7e]+$/, expected)
  .optional()
  .meta({
    description:
      'Makes a repetition safe: the same key with the same body gets the first answer again, with another body a ' +
      'problem. Keys belong to the API key that sent them.',
    examples: ['0d7d4c1e-6a3f-4f0e-9c52-6c0c5f6f2f11'],
  });

/**
 * The Idempotency-Key header, or undefined when there is none.
 *
 * @throws HttpProblem IDEMPOTENCY_KEY_INVALID when it comes twice, or is not 1 to 255 printable ASCII characters
 */
export function idempotencyKeyOf(req: IncomingMessage): string | undefined {
  // Not req.headers: that joins repeated headers, and the joined text would pass for a key.
  const values = req.headersDistinct['idempotency-key'] ?? [];
  const [key] = values;
  if (key === undefined) return undefined;
  if (values.length > 1) {
    throw new HttpProblem('IDEMPOTENCY_KEY_INVALID', 'The header Idempotency-Key may come only once.');
  }
  if (!idempotencyKey.safeParse(key).success) {
    throw new HttpProblem('IDEMPOTENCY_KEY_INVALID', `Expected ${expected}.`);
  }
  return key;
}
