import { z } from 'zod';
import { rateLimit, scope, wholeNumber } from '../app/api-key-schema.ts';
import { SCOPES } from '../app/authenticate.ts';
import type { KeyWish } from '../app/create-api-key.ts';
import { dateTime, plainText } from './submission-schema.ts';

const NAME_MAX = 100;
/** A week: time enough to bring a new token everywhere. */
const GRACE_SECONDS_MAX = 604_800;

const scopesExpected = `a list of scopes among ${SCOPES.join(', ')}`;

export const keyWishSchema: z.ZodType<KeyWish> = z
  .strictObject(
    {
      name: plainText(NAME_MAX),
      scopes: z.array(scope, scopesExpected).min(1, scopesExpected).max(SCOPES.length, scopesExpected),
      expiresAt: dateTime
        .optional()
        .meta({ description: 'In the future; left out, the key opens until it is revoked.' }),
      rateLimit: rateLimit.optional().meta({ description: 'In place of the configured one.' }),
    },
    'an object with name and scopes',
  )
  .meta({
    id: 'ApiKeyWish',
    override: { examples: [{ name: 'intake form', scopes: ['requests:write'] }] },
  });

export const rotationSchema = z.strictObject(
  { graceSeconds: wholeNumber(0, GRACE_SECONDS_MAX).default(0) },
  'an object with graceSeconds at most',
);
