import { deliveryPage } from '../../app/delivery-schema.ts';
import { listDeliveries } from '../../app/show-deliveries.ts';
import { deliveriesQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** A page of deliveries that are not judged yet or cannot be mapped. */
export const listWebhookDeliveries = keyedRoute({
  method: 'get',
  path: '/v1/webhook-deliveries',
  scope: 'requests:read',
  operationId: 'listDeliveries',
  tag: 'ticketing',
  summary: 'List deliveries that wait or cannot be mapped, newest first',
  description: `Of deliveries that became requests, or are none, nothing is kept but their number. Those that cannot be mapped say what was
expected where; once the mapping is mended, \`judgeDelivery\` has them judged again.`,
  query: deliveriesQuerySchema,
  answers: { 200: jsonAnswer('A page of deliveries.', deliveryPage) },
  handle: async ({ deps, query: { source, state, cursor, limit } }) => ({
    status: 200,
    body: await listDeliveries(deps, {
      limit,
      ...(source !== undefined && { source }),
      ...(state !== undefined && { state }),
      ...(cursor !== undefined && { before: cursor }),
    }),
  }),
});
