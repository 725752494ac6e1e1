import { z } from 'zod';

/** Node's timers overflow above this many milliseconds (24.8 days). */
const MAX_DURATION_MS = 2_147_483_647;

/** A text that `accepts`; `expected` is what a mistake says, and never quotes the text. */
export function text(expected: string, accepts: (value: string) => boolean) {
  return z.string({ error: expected }).refine(accepts, { error: expected });
}

/** A whole number from `min` to `max`. Digits in a text count too, as environment variables are texts. */
export function whole(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  const schema = z.number({ error: expected });
  return z.preprocess(
    numberOf,
    schema.refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: expected }),
  );
}

/** Whole milliseconds, at least `min`. */
export function milliseconds(min: number) {
  return whole(min, MAX_DURATION_MS);
}

/** A number above 0 and at most 1. */
export function share() {
  const expected = 'a number above 0 and at most 1';
  return z.preprocess(
    numberOf,
    z.number({ error: expected }).refine((value) => value > 0 && value <= 1, { error: expected }),
  );
}

/** `true` or `false`; as a text too, as environment variables are texts. */
export function flag() {
  return z.preprocess(flagOf, z.boolean({ error: 'true or false' }));
}

/** One word of a list. */
export function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : value;
}

function flagOf(value: unknown): unknown {
  if (value === 'true') return true;
  return value === 'false' ? false : value;
}
