import { z } from 'zod';
import { regulation, requestType } from '../app/request-schema.ts';
import type { Submission } from '../app/check-submission.ts';
import { PROJECT_KEY } from '../domain/identifiers.ts';

const USER_ID_MAX = 4096;
const EMAIL_MAX = 1000;
const REFERENCE_MAX = 200;
const NOTE_MAX = 4000;
const PROJECTS_MAX = 200;

/** A text of at most `max` characters (code points, as JSON Schema counts them), kept exactly as it came. */
function text(max: number, expected = `a text of at most ${max} characters`) {
  return z
    .string(expected)
    .refine((value) => Array.from(value).length <= max, expected)
    .meta({ maxLength: max });
}

/** A text of 1 to `max` characters that is more than white space. */
export function longText(max: number) {
  const expected = `a text of 1 to ${max} characters`;
  return text(max, expected)
    .refine((value) => value.trim() !== '', expected)
    .meta({ minLength: 1, maxLength: max });
}

/** What is shown in lists: one line of 1 to `max` characters. */
export function plainText(max: number) {
  const expected = `a text of 1 to ${max} characters without control characters`;
  return (
    text(max, expected)
      // eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
      .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, expected)
      .refine((value) => value.isWellFormed(), expected)
      .meta({ minLength: 1, maxLength: max })
  );
}

/** A reference of the caller's own: shown in lists and searched for. */
export const reference = plainText(REFERENCE_MAX).meta({
  id: 'Reference',
  description:
    "The caller's own reference, such as a ticket's number. It is shown in lists, so no identifier.",
  examples: ['TICKET-4711'],
});

const dateTimeExpected =
  'an RFC 3339 date and time since 1970, with seconds and Z or an offset, such as 2026-03-01T09:30:00Z';

/** RFC 3339, as a Date. */
export const dateTime = z.iso
  .datetime({ offset: true, error: dateTimeExpected })
  .transform((value) => new Date(value))
  .refine((date) => date.getTime() >= 0, dateTimeExpected);

const tasks = 'a whole number from 0 to 10000';
/** How many users in projects somebody expects to be found. */
export const tasksExpected = z.int(tasks).min(0, tasks).max(10_000, tasks);

const projectKeysExpected = `a list of 1 to ${PROJECTS_MAX} project keys`;

/** Not trimmed, folded or normalised, and of any characters: an id that can never be sent is kept for a person. */
export const subject = z.strictObject(
  {
    userId: text(USER_ID_MAX).optional().meta({
      description:
        'The id that was set with `tracker.setUserID`, exactly: it is never trimmed, folded or normalised.',
    }),
    email: text(EMAIL_MAX).optional().meta({
      description:
        'Searched for in every project; only users with the very address count, the domain in any case.',
    }),
  },
  'an object with userId, email, or both',
);

/** Where to look for the subject: shared by submission and preview. */
const where = {
  projectKeys: z
    // The use case looks at their form, since it knows more of them.
    .array(z.string('a project key').meta({ pattern: PROJECT_KEY.source }), projectKeysExpected)
    .min(1, projectKeysExpected)
    .max(PROJECTS_MAX, projectKeysExpected)
    .optional()
    .meta({ description: 'Left out, every project of the connection that the configuration allows.' }),
  connection: z
    .string('the name of a configured connection')
    .optional()
    .meta({ description: 'Name of a configured connection. May be left out where there is just one.' }),
};

/** The body of a preview: of a submission, what says whom and where to look for. */
export const previewSchema: z.ZodType<Pick<Submission, 'subject' | 'connection' | 'projectKeys'>> = z
  .strictObject({ subject, ...where }, 'an object with subject')
  .meta({ id: 'PreviewQuery', examples: [{ subject: { email: 'customer@example.org' } }] });

const someone = 'userId, email, or both';

/** The body of a lookup. */
export const lookupSchema: z.ZodType<Pick<Submission, 'subject'>> = z
  .strictObject(
    { subject: subject.refine(({ userId, email }) => userId !== undefined || email !== undefined, someone) },
    'an object with subject',
  )
  .meta({ id: 'SubjectQuery', examples: [{ subject: { email: 'customer@example.org' } }] });

/** The body of a submission. Each message says what was expected and reads on after "expected". */
export const submissionSchema: z.ZodType<Submission> = z
  .strictObject(
    {
      type: requestType.optional().meta({
        description:
          'Left out, `erasure`. `access` gathers what OpenReplay holds of the subject and deletes nothing; `access_and_erasure` gathers it first.',
      }),
      subject,
      ...where,
      regulation: regulation.optional().meta({ description: 'Left out, `gdpr`.' }),
      receivedAt: dateTime.optional().meta({
        description: 'When the data subject asked, since 1970 and not in the future; left out, now.',
      }),
      reference: reference.optional(),
      expect: z.strictObject({ tasks: tasksExpected }).optional().meta({
        description: 'How many users in projects are to be found; when others are, a person decides.',
      }),
      note: text(NOTE_MAX).optional().meta({ description: 'Kept encrypted.' }),
    },
    'an object with subject',
  )
  .meta({
    id: 'Submission',
    // In an override, since zod leaves out examples of what a schema transforms.
    override: {
      examples: [{ subject: { userId: 'user-42' }, regulation: 'gdpr', reference: 'TICKET-4711' }],
    },
  });

/** A command that takes no fields. */
export const emptyCommandSchema = z.strictObject({}, 'an object without fields');
