import { redeliver } from '../../app/callbacks.ts';
import { deliveryView } from '../../app/callback-schema.ts';
import { deliveryPath } from '../callback-path.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Deliver once more. */
export const redeliverRoute = keyedRoute({
  method: 'post',
  path: '/v1/callbacks/:id/deliveries/:deliveryId/redeliver',
  scope: 'callbacks:write',
  operationId: 'redeliver',
  tag: 'callbacks',
  summary: 'Deliver once more',
  description: `Begins the schedule anew with the same \`webhook-id\`, so that a receiver that has it already can tell.`,
  params: deliveryPath,
  body: jsonBody(emptyCommandSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 202: jsonAnswer('The delivery, which is on its way.', deliveryView) },
  problems: ['CALLBACK_NOT_ACTIVE'],
  handle: async ({ deps, params, apiKeyId, found }) => ({
    status: 202,
    body: found(await redeliver(deps, { callbackId: params.id, apiKeyId, deliveryId: params.deliveryId })),
  }),
});
