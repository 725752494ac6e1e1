import { z } from 'zod';
import { apiKeyId } from '../app/api-key-schema.ts';

/** Of `/v1/api-keys/:id` and what is below it. */
export const apiKeyPath = {
  schema: z.strictObject({ id: apiKeyId }),
  problem: 'API_KEY_NOT_FOUND',
  absent: 'There is no API key with this id.',
} as const;
