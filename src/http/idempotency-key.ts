import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './problem.ts';

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/;

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
  if (!PRINTABLE_ASCII.test(key)) {
    throw new HttpProblem('IDEMPOTENCY_KEY_INVALID', 'Expected 1 to 255 printable ASCII characters.');
  }
  return key;
}
