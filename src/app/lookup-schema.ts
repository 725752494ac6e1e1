import { z } from 'zod';
import { OUTCOMES } from '../domain/request.ts';
import { regulation, requestId, requestState, requestType, time } from './request-schema.ts';
import { subjectPseudonym } from './subject-schema.ts';

const lookedUpRequest = z
  .strictObject({
    id: requestId,
    type: requestType,
    regulation,
    state: requestState,
    outcome: z.enum(OUTCOMES).nullable(),
    receivedAt: time,
    completedAt: time.nullable(),
    certificate: z
      .string()
      .nullable()
      .meta({ description: 'Path of the certificate; null where none can be issued.' }),
  })
  .meta({ id: 'LookedUpRequest' });

export const lookupView = z
  .strictObject({
    subject: z.array(subjectPseudonym),
    erasedAt: time
      .nullable()
      .meta({ description: 'When data of the subject was erased last; null where it never was.' }),
    requests: z.array(lookedUpRequest).meta({ description: 'The newest first, at most 100.' }),
  })
  .meta({ id: 'SubjectLookup' });
export type LookupView = z.infer<typeof lookupView>;
