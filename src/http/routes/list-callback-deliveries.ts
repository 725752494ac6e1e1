import { listCallbackDeliveries } from '../../app/callbacks.ts';
import { deliveryPage } from '../../app/callback-schema.ts';
import { callbackPath } from '../callback-path.ts';
import { deliveriesQuerySchema } from '../callback-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** List the deliveries of a callback, newest first. */
export const listCallbackDeliveriesRoute = keyedRoute({
  method: 'get',
  path: '/v1/callbacks/:id/deliveries',
  scope: 'callbacks:write',
  operationId: 'listCallbackDeliveries',
  tag: 'callbacks',
  summary: 'List the deliveries of a callback, newest first',
  params: callbackPath,
  query: deliveriesQuerySchema,
  answers: { 200: jsonAnswer('A page of deliveries.', deliveryPage) },
  handle: async ({ deps, params, query: { state, cursor, limit }, found }) => ({
    status: 200,
    body: found(await listCallbackDeliveries(deps, params.id, { state, before: cursor, limit })),
  }),
});
