import { z } from 'zod';
import { SCOPES } from './authenticate.ts';
import { time } from './request-schema.ts';

/** An API key as people and programs see it; see request-schema.ts. */

export const apiKeyId = z
  .string()
  .regex(/^ak_[0-9a-f]{32}$/)
  .meta({ id: 'ApiKeyId' });

export const scope = z.enum(SCOPES, `one of ${SCOPES.join(', ')}`).meta({ id: 'Scope' });

/** As the configuration bounds them, too. */
const REQUESTS_MAX = 1_000_000;
const PER_SECONDS_MAX = 3_600;

/** A whole number in a body. */
export function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
}

export const rateLimit = z
  .strictObject(
    { requests: wholeNumber(1, REQUESTS_MAX), perSeconds: wholeNumber(1, PER_SECONDS_MAX) },
    'an object with requests and perSeconds',
  )
  .meta({ id: 'RateLimit', description: 'So many calls in each window of so many seconds.' });

/** All but its token. */
export const apiKeyView = z
  .strictObject({
    id: apiKeyId,
    name: z.string(),
    // Stored as texts, which a newer version may have more of.
    scopes: z.array(z.string().meta({ override: { enum: [...SCOPES] } })),
    createdAt: time,
    createdBy: z
      .string()
      .regex(/^(local|ak_[0-9a-f]{32})$/)
      .meta({ description: 'The key that made it, or `local` for one made on the machine itself.' }),
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable().meta({ description: 'Right to the minute.' }),
    revokedAt: time.nullable(),
    rotatedAt: time.nullable(),
    oldTokenUntil: time
      .nullable()
      .meta({ description: 'Until when the token before the last rotation opens, or opened.' }),
    rateLimit: rateLimit.nullable().meta({ description: 'Null for the configured one.' }),
  })
  .meta({ id: 'ApiKey' });
export type ApiKeyView = z.infer<typeof apiKeyView>;

export const newTokenView = apiKeyView
  .extend({ token: z.string().regex(/^lethe_[A-Za-z0-9_-]{43}$/) })
  .meta({ id: 'NewToken', description: 'A key and its token, which is shown this once.' });
export type NewTokenView = z.infer<typeof newTokenView>;

export const apiKeyList = z.strictObject({ items: z.array(apiKeyView) }).meta({ id: 'ApiKeyList' });
