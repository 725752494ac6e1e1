import { z } from 'zod';
import { callbackId, deliveryId } from '../app/callback-schema.ts';

/** Of `/v1/callbacks/:id` and what is below it. */
export const callbackPath = {
  schema: z.strictObject({ id: callbackId }),
  problem: 'CALLBACK_NOT_FOUND',
  absent: 'There is no callback with this id.',
} as const;

/** Of one delivery of a callback. */
export const deliveryPath = {
  schema: z.strictObject({ id: callbackId, deliveryId }),
  problem: 'CALLBACK_DELIVERY_NOT_FOUND',
  absent: 'There is no callback with this id, or no such delivery of it.',
} as const;
