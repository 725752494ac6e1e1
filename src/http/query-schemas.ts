import { z } from 'zod';
import { REQUEST_STATES } from '../domain/states.ts';
import { reference } from './submission-schema.ts';

/** How ids of erasure requests look; anything else names none, and is not even looked for. */
const REQUEST_ID = /^er_[0-9a-f]{32}$/;

/** Whether `text` can be the id of an erasure request. */
export function isRequestId(text: unknown): text is string {
  return typeof text === 'string' && REQUEST_ID.test(text);
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;
/** Places in a trail are 32-bit integers. */
const AFTER_MAX = 2 ** 31 - 1;

const limitExpected = `a whole number from 1 to ${LIMIT_MAX}`;
const limit = wholeNumber({ min: 1, max: LIMIT_MAX }, limitExpected).default(LIMIT_DEFAULT);

/** A parameter given twice comes as a list and is refused: it would not be clear which one counts. */
function wholeNumber(range: { min: number; max: number }, expected: string) {
  return z
    .string(expected)
    .regex(/^(0|-?[1-9][0-9]{0,9})$/, expected)
    .transform(Number)
    .refine((value) => value >= range.min && value <= range.max, expected);
}

/** `?state=&reference=&limit=&cursor=` */
export const listQuerySchema = z.strictObject({
  state: z.enum(REQUEST_STATES, `one of ${REQUEST_STATES.join(', ')}`).optional(),
  reference: reference.optional(),
  cursor: z
    .string('nextCursor of the page before')
    .regex(REQUEST_ID, 'nextCursor of the page before')
    .optional(),
  limit,
});

/** `?after=&limit=` */
export const eventsQuerySchema = z.strictObject({
  after: wholeNumber({ min: -1, max: AFTER_MAX }, 'nextAfter of the page before, or -1').default(-1),
  limit,
});

/** No parameters at all. */
export const emptyQuerySchema = z.strictObject({});
