import { z } from 'zod';
import { SCOPES } from '../app/authenticate.ts';
import type { KeyWish } from '../app/create-api-key.ts';
import { dateTime, plainText } from './submission-schema.ts';

const NAME_MAX = 100;
/** As the configuration bounds them, too. */
const REQUESTS_MAX = 1_000_000;
const PER_SECONDS_MAX = 3_600;
/** A week: time enough to bring a new token everywhere. */
const GRACE_SECONDS_MAX = 604_800;

const scopesExpected = `a list of scopes among ${SCOPES.join(', ')}`;

function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
}

export const keyWishSchema: z.ZodType<KeyWish> = z.strictObject(
  {
    name: plainText(NAME_MAX),
    scopes: z
      .array(z.enum(SCOPES, `one of ${SCOPES.join(', ')}`), scopesExpected)
      .min(1, scopesExpected)
      .max(SCOPES.length, scopesExpected),
    expiresAt: dateTime.optional(),
    rateLimit: z
      .strictObject(
        { requests: wholeNumber(1, REQUESTS_MAX), perSeconds: wholeNumber(1, PER_SECONDS_MAX) },
        'an object with requests and perSeconds',
      )
      .optional(),
  },
  'an object with name and scopes',
);

export const rotationSchema = z.strictObject(
  { graceSeconds: wholeNumber(0, GRACE_SECONDS_MAX).default(0) },
  'an object with graceSeconds at most',
);
