import { z } from 'zod';
import { importId } from '../app/import-schema.ts';

/** Of `/v1/imports/:id` and what is below it. */
export const importPath = {
  schema: z.strictObject({ id: importId }),
  problem: 'IMPORT_NOT_FOUND',
  absent: 'There is no import with this id.',
} as const;
