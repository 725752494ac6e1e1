import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Whether two texts are the same, in a time that tells nothing of where they differ. Their lengths may be known: for
 * signatures, which all have the same.
 */
export function isSameSignature(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** As isSameSignature, for secrets: the time does not tell the length either. */
export function isSameSecret(expected: string, given: string): boolean {
  return timingSafeEqual(digestOf(expected), digestOf(given));
}

/** Whether the text is one of these. All are looked at, so that the time does not tell which it was. */
export function isOneOf(
  isSame: (expected: string, given: string) => boolean,
  expected: readonly string[],
  given: string,
): boolean {
  return expected.filter((one) => isSame(one, given)).length > 0;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
