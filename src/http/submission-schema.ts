import { z } from 'zod';
import type { Submission } from '../app/submit-request.ts';
import { REGULATIONS } from '../domain/request.ts';

const USER_ID_MAX = 4096;
const EMAIL_MAX = 1000;
const REFERENCE_MAX = 200;
const NOTE_MAX = 4000;
const PROJECTS_MAX = 200;

/** A text of at most `max` characters (code points, as JSON Schema counts them), kept exactly as it came. */
function text(max: number, expected: string) {
  return z.string(expected).refine((value) => characters(value) <= max, expected);
}

function characters(value: string): number {
  return Array.from(value).length;
}

// eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** What is shown in lists: one line of 1 to `max` characters. */
export function plainText(max: number) {
  const expected = `a text of 1 to ${max} characters without control characters`;
  return text(max, expected).refine(
    (value) => value !== '' && value.isWellFormed() && !CONTROL.test(value),
    expected,
  );
}

/** A reference of the caller's own: shown in lists and searched for. */
export const reference = plainText(REFERENCE_MAX);

const dateTimeExpected =
  'an RFC 3339 date and time since 1970, with seconds and Z or an offset, such as 2026-03-01T09:30:00Z';

/** RFC 3339, as a Date. */
export const dateTime = z.iso
  .datetime({ offset: true, error: dateTimeExpected })
  .transform((value) => new Date(value))
  .refine((date) => date.getTime() >= 0, dateTimeExpected);

const projectKeysExpected = `a list of 1 to ${PROJECTS_MAX} project keys`;

/** Not trimmed, folded or normalised, and of any characters: an id that can never be sent is kept for a person. */
const subject = z.strictObject(
  {
    userId: text(USER_ID_MAX, `a text of at most ${USER_ID_MAX} characters`).optional(),
    email: text(EMAIL_MAX, `a text of at most ${EMAIL_MAX} characters`).optional(),
  },
  'an object with userId',
);

/** The body of a submission. Each message says what was expected and reads on after "expected". */
export const submissionSchema: z.ZodType<Submission> = z.strictObject(
  {
    subject,
    projectKeys: z
      .array(z.string('a project key'), projectKeysExpected)
      .min(1, projectKeysExpected)
      .max(PROJECTS_MAX, projectKeysExpected)
      .optional(),
    connection: z.string('the name of a configured connection').optional(),
    regulation: z.enum(REGULATIONS, `one of ${REGULATIONS.join(', ')}`).optional(),
    receivedAt: dateTime.optional(),
    reference: reference.optional(),
    note: text(NOTE_MAX, `a text of at most ${NOTE_MAX} characters`).optional(),
  },
  'an object with subject',
);

/** A command that takes no fields. */
export const emptyCommandSchema = z.strictObject({}, 'an object without fields');
