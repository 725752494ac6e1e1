import { z } from 'zod';
import { holdId } from '../app/standing-holds.ts';

/** Of `/v1/holds/:id` and what is below it. */
export const holdPath = {
  schema: z.strictObject({ id: holdId }),
  problem: 'HOLD_NOT_FOUND',
  absent: 'There is no standing hold with this id.',
} as const;
