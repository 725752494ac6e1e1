import { z } from 'zod';
import { IDENTITY_METHODS, REFUSAL_GROUNDS } from '../domain/policy.ts';
import { longText, subject, tasksExpected } from './submission-schema.ts';

/** What people send along with their decisions. Their words are kept encrypted, and stand in no audit event. */

const TEXT_MAX = 4000;
const words = longText(TEXT_MAX).meta({ description: 'Kept encrypted.' });
const object = 'an object with the fields of this command';

export const noteCommand = z.strictObject({ note: words.optional() }, object).meta({ id: 'NoteCommand' });

export const reasonCommand = z.strictObject({ reason: words }, object).meta({ id: 'ReasonCommand' });

export const identityCommand = z
  .strictObject(
    {
      method: z.enum(IDENTITY_METHODS, `one of ${IDENTITY_METHODS.join(', ')}`),
      note: words.optional(),
    },
    object,
  )
  .meta({ id: 'IdentityCommand' });

export const refusalCommand = z
  .strictObject(
    {
      ground: z
        .enum(REFUSAL_GROUNDS, `one of ${REFUSAL_GROUNDS.join(', ')}`)
        .meta({ description: 'Art. 12(5), Art. 17(3), or that nobody knows who asks.' }),
      text: words.meta({
        description:
          'For the subject (Art. 12(4)): the reasons, the right to complain to a supervisory authority, and to a judicial remedy.',
      }),
    },
    object,
  )
  .meta({ id: 'RefusalCommand' });

export const retryCommand = z
  .strictObject(
    {
      reason: words.optional(),
      expect: z
        .strictObject({ tasks: tasksExpected })
        .optional()
        .meta({ description: 'How many users in projects are right, where more or fewer were expected.' }),
      acceptIncomplete: z.boolean('true or false').optional().meta({
        description:
          'Goes on with an access package that lacks something, in place of gathering it again, unless it has expired.',
      }),
    },
    object,
  )
  .meta({ id: 'RetryCommand' });

export const holdCommand = z
  .strictObject(
    { subject: subject.meta({ description: 'One identifier: userId or email.' }), reason: words },
    'an object with subject and reason',
  )
  .meta({ id: 'HoldCommand' });
