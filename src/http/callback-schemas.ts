import { z } from 'zod';
import { wholeNumber } from '../app/api-key-schema.ts';
import { callbackEvent, DELIVERY_ID } from '../app/callback-schema.ts';
import type { CallbackChange, CallbackWish } from '../app/callbacks.ts';
import { CALLBACK_EVENTS, DELIVERY_STATES } from '../domain/callback.ts';
import { limit } from './query-schemas.ts';
import { plainText } from './submission-schema.ts';

const NAME_MAX = 100;
const URL_MAX = 2_000;
/** A week: time enough to bring a new secret everywhere. */
const GRACE_SECONDS_MAX = 604_800;
const GRACE_SECONDS_DEFAULT = 86_400;

const eventsExpected = `a list of events among ${CALLBACK_EVENTS.join(', ')}`;
const name = plainText(NAME_MAX).meta({ description: 'For people.' });
const url = plainText(URL_MAX).meta({
  description: 'https, and of a host that `outgoing.hosts` of the configuration allows.',
});
const events = z
  .array(callbackEvent, eventsExpected)
  .min(1, eventsExpected)
  .max(CALLBACK_EVENTS.length, eventsExpected);

export const callbackWishSchema: z.ZodType<CallbackWish> = z
  .strictObject({ name, url, events }, 'an object with name, url and events')
  .meta({
    id: 'CallbackWish',
    override: {
      examples: [{ name: 'intranet', url: 'https://hooks.example.com/lethe', events: ['request.completed'] }],
    },
  });

export const callbackChangeSchema: z.ZodType<CallbackChange> = z
  .strictObject(
    {
      name: name.optional(),
      url: url.optional(),
      events: events.optional(),
      state: z.enum(['active', 'disabled'], 'active or disabled').optional(),
    },
    'an object with what is to change: name, url, events, state',
  )
  .meta({ id: 'CallbackChange' });

export const secretRotationSchema = z.strictObject(
  { graceSeconds: wholeNumber(0, GRACE_SECONDS_MAX).default(GRACE_SECONDS_DEFAULT) },
  'an object with graceSeconds at most',
);

/** `?state=&limit=&cursor=` */
export const deliveriesQuerySchema = z.strictObject({
  state: z.enum(DELIVERY_STATES, `one of ${DELIVERY_STATES.join(', ')}`).optional(),
  cursor: z
    .string('nextCursor of the page before')
    .regex(DELIVERY_ID, 'nextCursor of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  limit,
});
