import { z } from 'zod';

/** Of `/v1/connections/:name` and what is below it. */
export const connectionPath = {
  schema: z.strictObject({ name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/) }),
  problem: 'CONNECTION_NOT_FOUND',
  absent: 'No connection of this name is configured.',
} as const;
