import { z } from 'zod';
import { ATTEMPT_OUTCOMES, CALLBACK_EVENTS, CALLBACK_STATES, DELIVERY_STATES } from '../domain/callback.ts';
import { PAGE_MAX, requestId, time } from './request-schema.ts';

/** Callbacks and deliveries as people and programs see them; see request-schema.ts. */

export const callbackId = z
  .string()
  .regex(/^cb_[0-9a-f]{32}$/)
  .meta({ id: 'CallbackId' });
/** How ids of deliveries look. */
export const DELIVERY_ID = /^dl_[0-9a-f]{32}$/;
export const deliveryId = z.string().regex(DELIVERY_ID).meta({ id: 'CallbackDeliveryId' });

export const callbackEvent = z
  .enum(CALLBACK_EVENTS, `one of ${CALLBACK_EVENTS.join(', ')}`)
  .meta({ id: 'CallbackEvent', description: 'docs/callbacks.md tells of each.' });

/** All but its secret. */
export const callbackView = z
  .strictObject({
    id: callbackId,
    name: z.string(),
    url: z.string().meta({ description: 'Kept encrypted, as it may hold a secret.' }),
    events: z.array(z.string().meta({ override: { enum: [...CALLBACK_EVENTS] } })),
    state: z.enum(CALLBACK_STATES).meta({
      description:
        '`disabled`: by a person, or because it failed for a whole schedule; `gone`: it answered 410. Nothing is sent to either.',
    }),
    createdBy: z.string().meta({ description: 'Id of an API key.' }),
    createdAt: time,
    endedAt: time.nullable().meta({ description: 'When it was disabled, or answered 410.' }),
    lastSuccessAt: time.nullable(),
    failingSince: time.nullable().meta({ description: 'The first failure since the last success.' }),
    oldSecretUntil: time
      .nullable()
      .meta({ description: 'Until when is signed with the secret before the last rotation too.' }),
  })
  .meta({ id: 'Callback', description: 'Whom events are sent to.' });
export type CallbackView = z.infer<typeof callbackView>;

export const callbackWithSecret = callbackView
  .extend({ secret: z.string().regex(/^whsec_[A-Za-z0-9+/]{43}=$/) })
  .meta({ id: 'CallbackWithSecret', description: 'A callback and its secret, which is shown this once.' });
export type CallbackWithSecret = z.infer<typeof callbackWithSecret>;

export const callbackList = z.strictObject({ items: z.array(callbackView) }).meta({ id: 'CallbackList' });

const attempt = z
  .strictObject({
    at: time,
    outcome: z.enum(ATTEMPT_OUTCOMES).meta({
      description:
        '`answered`: with a status that is no success; `refused`: the target may not be called; `timeout` and `reset`: it may have arrived.',
    }),
    status: z.int().nullable().meta({ description: 'Of the answer, where one came.' }),
    durationMs: z.int(),
  })
  .meta({ id: 'CallbackDeliveryAttempt' });

export const deliveryView = z
  .strictObject({
    id: deliveryId.meta({ description: 'The `webhook-id` of each of its attempts.' }),
    type: z.string(),
    requestId: requestId.nullable().meta({ description: 'Null of a test.' }),
    eventSeq: z.int().nullable().meta({ description: "The event's place in the request's trail." }),
    state: z.enum(DELIVERY_STATES),
    createdAt: time,
    nextAttemptAt: time.nullable().meta({ description: 'Null once it was delivered or has failed.' }),
    settledAt: time.nullable(),
    attempts: z.array(attempt).meta({ description: 'The latest first, at most 20.' }),
  })
  .meta({ id: 'CallbackDelivery', description: 'An event on its way to one receiver.' });
export type DeliveryView = z.infer<typeof deliveryView>;

export const deliveryPage = z
  .strictObject({
    items: z.array(deliveryView).max(PAGE_MAX),
    nextCursor: deliveryId
      .nullable()
      .meta({ description: 'Give it as `cursor` for what follows; null on the last page.' }),
  })
  .meta({ id: 'CallbackDeliveryPage' });
export type DeliveryPageView = z.infer<typeof deliveryPage>;
