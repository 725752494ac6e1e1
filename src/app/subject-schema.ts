import { z } from 'zod';
import { SUBJECT_KINDS } from '../domain/request.ts';

export const subjectPseudonym = z.strictObject({
  ref: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({
      description:
        'Pseudonym: the same person under the same tenant, the same text, whatever becomes of the identifier.',
    }),
  kind: z.enum(SUBJECT_KINDS),
  keyVersion: z.int().min(1),
});

/** Whom a request is about: the one view that holds an identifier. */
export const subjectView = z
  .strictObject({
    userId: z.string().optional().meta({ description: 'Exactly as it was submitted.' }),
    email: z.string().optional().meta({ description: 'Exactly as it was submitted.' }),
  })
  .meta({ id: 'Subject', override: { minProperties: 1 } });
