import { z } from 'zod';
import { IMPORT_ID } from '../app/import-schema.ts';
import { DELIVERY_ID, deliveryState } from '../app/delivery-schema.ts';
import { REGISTER_FORMATS } from '../app/read-register.ts';
import { DUE_CURSOR } from '../app/list-deadlines.ts';
import { PAGE_MAX, REQUEST_ID, requestState } from '../app/request-schema.ts';
import { HOLD_ID } from '../app/standing-holds.ts';
import { isDay, type Day } from '../domain/day.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { reference } from './submission-schema.ts';

const LIMIT_DEFAULT = 50;
/** Places in a trail are 32-bit integers. */
const AFTER_MAX = 2 ** 31 - 1;

/** `limit` of every list that comes in pages. */
export const limit = wholeNumber({ min: 1, max: PAGE_MAX }, `a whole number from 1 to ${PAGE_MAX}`)
  .default(LIMIT_DEFAULT)
  .meta({ description: 'How many a page has at most.', override: { default: LIMIT_DEFAULT } });

/**
 * A query parameter that is a whole number. Given twice, a parameter comes as a list and is refused: it would not be
 * clear which one counts. `expected` reads on after "expected".
 */
function wholeNumber(range: { min: number; max: number }, expected: string) {
  return z
    .string(expected)
    .regex(/^(0|-?[1-9][0-9]{0,9})$/, expected)
    .transform(Number)
    .refine((value) => value >= range.min && value <= range.max, expected)
    .meta({ override: { type: 'integer', pattern: undefined, minimum: range.min, maximum: range.max } });
}

const PSEUDONYM = /^[0-9a-f]{64}$/;

/** `?state=&reference=&subjectRef=&limit=&cursor=` */
export const listQuerySchema = z.strictObject({
  state: requestState.optional(),
  reference: reference.optional().meta({ description: 'Exactly this reference.' }),
  subjectRef: z
    .string('a pseudonym of 64 hexadecimal digits')
    .regex(PSEUDONYM, 'a pseudonym of 64 hexadecimal digits')
    .optional()
    .meta({
      description:
        'Only requests whose subject is known by this pseudonym (`subject.ref`), whatever became of the identifier.',
    }),
  cursor: z
    .string('nextCursor of the page before')
    .regex(REQUEST_ID, 'nextCursor of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  limit,
});

/** `?standing=&limit=&cursor=` */
export const holdsQuerySchema = z.strictObject({
  standing: z
    .enum(['true', 'false'], 'true or false')
    .default('false')
    .transform((value) => value === 'true')
    .meta({
      description: 'Only holds that stand.',
      override: { type: 'boolean', enum: undefined, default: false },
    }),
  cursor: z
    .string('nextCursor of the page before')
    .regex(HOLD_ID, 'nextCursor of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  limit,
});

const DAYS_MAX = 3_650;
const DAYS_DEFAULT = 7;

/** `?days=&limit=&cursor=` */
export const deadlinesQuerySchema = z.strictObject({
  days: wholeNumber({ min: 0, max: DAYS_MAX }, `a whole number from 0 to ${DAYS_MAX}`)
    .default(DAYS_DEFAULT)
    .meta({ description: 'Due within so many days.', override: { default: DAYS_DEFAULT } }),
  cursor: z
    .string('nextCursor of the page before')
    .regex(DUE_CURSOR, 'nextCursor of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  limit,
});

const DAY = 'a day since 1970, such as 2026-03-31';

/** Years that computing with months cannot leave. */
const reportDay = z
  .string(DAY)
  .refine((text): text is Day => isDay(text) && text >= '1970-01-01' && text <= '9998-12-31', DAY)
  .meta({ override: { format: 'date' } });

const BEFORE_TO = 'a day that is not after the last';

const period = {
  from: reportDay.optional().meta({
    description: 'The first day of receipt; left out, that of the month eleven months before the last day.',
  }),
  to: reportDay.optional().meta({ description: 'The last day of receipt; left out, today.' }),
};

/** `?from=&to=` */
export const summaryQuerySchema = z
  .strictObject(period)
  .refine(isForwards, { path: ['from'], error: BEFORE_TO });

/** `?from=&to=&format=` */
export const registerQuerySchema = z
  .strictObject({
    ...period,
    format: z.enum(REGISTER_FORMATS, `one of ${REGISTER_FORMATS.join(', ')}`).default('csv'),
  })
  .refine(isForwards, { path: ['from'], error: BEFORE_TO });

function isForwards({ from, to }: { from?: Day | undefined; to?: Day | undefined }): boolean {
  return from === undefined || to === undefined || from <= to;
}

/** `?after=&limit=` */
export const eventsQuerySchema = z.strictObject({
  after: wholeNumber({ min: -1, max: AFTER_MAX }, 'nextAfter of the page before, or -1')
    .default(-1)
    .meta({
      description: '`nextAfter` of the page before; -1, the default, is the beginning.',
      override: { default: -1 },
    }),
  limit,
});

/** `?idempotencyKey=&limit=&cursor=` */
export const importsQuerySchema = z.strictObject({
  idempotencyKey: idempotencyKey.meta({
    description: 'Only the import that this API key has sent, or is sending, with that Idempotency-Key.',
  }),
  cursor: z
    .string('nextCursor of the page before')
    .regex(IMPORT_ID, 'nextCursor of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  limit,
});

/** `?source=&state=&limit=&cursor=` */
export const deliveriesQuerySchema = z.strictObject({
  source: z
    .string('the name of a source')
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'the name of a source')
    .optional()
    .meta({ description: 'Only of this source.' }),
  state: deliveryState.optional(),
  cursor: z
    .string('nextCursor of the page before')
    .regex(DELIVERY_ID, 'nextCursor of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  limit,
});

/** `?after=&limit=` */
export const importErrorsQuerySchema = z.strictObject({
  after: wholeNumber({ min: 0, max: AFTER_MAX }, 'nextAfter of the page before, or 0')
    .default(0)
    .meta({
      description: '`nextAfter` of the page before; 0, the default, is the beginning.',
      override: { default: 0 },
    }),
  limit,
});

/** `?format=` */
export const certificateQuerySchema = z.strictObject({
  format: z
    .enum(['json', 'pdf'], 'json or pdf')
    .optional()
    .meta({ description: 'The form; left out, what `Accept` asks for, or JSON.' }),
});

/** No parameters at all. */
export const emptyQuerySchema = z.strictObject({});
