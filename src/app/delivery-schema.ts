import { z } from 'zod';
import { SOURCE_KINDS, TICKET_FIELDS } from '../domain/ticket.ts';
import { DELIVERY_STATES } from './ports/intake.ts';
import { PAGE_MAX, time } from './request-schema.ts';

/** What ticketing systems delivered, as people and programs see it: when, from where, and what was expected; nothing of it. */

export const DELIVERY_ID = /^wd_[0-9a-f]{32}$/;
export const deliveryId = z.string().regex(DELIVERY_ID).meta({ id: 'DeliveryId' });

export const receiptView = z
  .strictObject({
    id: deliveryId.nullable().meta({ description: 'Null where it is a repetition.' }),
    repeated: z
      .boolean()
      .meta({ description: 'The very same was delivered before; nothing follows from it.' }),
  })
  .meta({ id: 'DeliveryReceipt' });

const problem = z.strictObject({
  field: z
    .enum(TICKET_FIELDS)
    .nullable()
    .meta({ description: 'What was to be read; null where it is the delivery as a whole.' }),
  pointers: z
    .array(z.string())
    .meta({ description: 'Where the configuration says that it stands: JSON Pointers into the body.' }),
  expected: z.string().meta({ description: 'What was expected there.' }),
});

export const deliveryState = z.enum(DELIVERY_STATES, `one of ${DELIVERY_STATES.join(', ')}`).meta({
  id: 'DeliveryState',
  description: '`received`: to be judged by a worker. `unmappable`: waits for the mapping to be mended.',
});

export const deliveryView = z
  .strictObject({
    id: deliveryId,
    source: z.string(),
    state: deliveryState,
    receivedAt: time,
    judgedAt: time.nullable(),
    keptUntil: time.nullable().meta({
      description: 'When its body is destroyed, judged again or not; null while it is to be judged.',
    }),
    problems: z.array(problem).meta({ description: 'Why it cannot be mapped.' }),
  })
  .meta({ id: 'Delivery' });
export type DeliveryView = z.infer<typeof deliveryView>;

export const deliveryPage = z
  .strictObject({
    items: z.array(deliveryView).max(PAGE_MAX),
    nextCursor: deliveryId
      .nullable()
      .meta({ description: 'Give it as `cursor` for what follows; null on the last page.' }),
  })
  .meta({ id: 'DeliveryPage' });
export type DeliveryPage = z.infer<typeof deliveryPage>;

const count = z.int().min(0);

export const sourceList = z
  .strictObject({
    items: z.array(
      z
        .strictObject({
          name: z.string(),
          kind: z
            .enum(SOURCE_KINDS)
            .nullable()
            .meta({ description: 'Null of a source that is not in the configuration any more.' }),
          waiting: count.meta({ description: 'To be judged.' }),
          unmappable: count.meta({ description: 'Wait for the mapping to be mended.' }),
          accepted: count.meta({ description: 'Became requests.' }),
          knownTicket: count.meta({ description: 'Told something of a ticket that has its request.' }),
          notMatching: count.meta({ description: 'Were no requests; nothing was kept.' }),
          expired: count.meta({ description: 'Could not be mapped until their bodies were destroyed.' }),
        })
        .meta({ id: 'TicketSource' }),
    ),
  })
  .meta({ id: 'TicketSourceList' });
export type SourceList = z.infer<typeof sourceList>;
