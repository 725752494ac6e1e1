import { z } from 'zod';
import { deliveryId, deliveryView } from '../../app/delivery-schema.ts';
import { judgeAgain } from '../../app/show-deliveries.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

const deliveryPath = {
  schema: z.strictObject({ id: deliveryId }),
  problem: 'DELIVERY_NOT_FOUND',
  absent: 'There is no delivery with this id that waits or cannot be mapped.',
} as const;

/** Has a delivery judged again. */
export const judgeWebhookDelivery = keyedRoute({
  method: 'post',
  path: '/v1/webhook-deliveries/:id/judge',
  scope: 'requests:write',
  operationId: 'judgeDelivery',
  tag: 'ticketing',
  summary: 'Judge a delivery again that cannot be mapped',
  description: `A worker judges it by the mapping that it was started with, so mend the mapping and start the workers anew before. What becomes
a request is not listed any more.`,
  params: deliveryPath,
  body: jsonBody(emptyCommandSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 202: jsonAnswer('It is going to be judged. This is how it stood before.', deliveryView) },
  handle: async ({ deps, params, found }) => ({
    status: 202,
    body: found(await judgeAgain(deps, params.id)),
  }),
});
