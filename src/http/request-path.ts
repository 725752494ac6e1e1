import { z } from 'zod';
import { requestId } from '../app/request-schema.ts';

/** Of `/v1/erasure-requests/:id` and what is below it. */
export const requestPath = {
  schema: z.strictObject({ id: requestId }),
  problem: 'REQUEST_NOT_FOUND',
  absent: 'There is no erasure request with this id.',
} as const;
