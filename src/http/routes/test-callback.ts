import { testCallback } from '../../app/callbacks.ts';
import { deliveryView } from '../../app/callback-schema.ts';
import { callbackPath } from '../callback-path.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Send a test to a callback. */
export const testOneCallback = keyedRoute({
  method: 'post',
  path: '/v1/callbacks/:id/test',
  scope: 'callbacks:write',
  operationId: 'testCallback',
  tag: 'callbacks',
  summary: 'Send a test to a callback',
  description: `A \`callback.test\` is sent as any event is; its delivery shows what came of it.`,
  params: callbackPath,
  body: jsonBody(emptyCommandSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 202: jsonAnswer('The delivery, which is on its way.', deliveryView) },
  problems: ['CALLBACK_NOT_ACTIVE'],
  handle: async ({ deps, params, apiKeyId, found }) => ({
    status: 202,
    body: found(await testCallback(deps, { callbackId: params.id, apiKeyId })),
  }),
});
