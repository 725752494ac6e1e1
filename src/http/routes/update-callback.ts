import { updateCallback } from '../../app/callbacks.ts';
import { callbackView } from '../../app/callback-schema.ts';
import { callbackPath } from '../callback-path.ts';
import { callbackChangeSchema } from '../callback-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Change a callback. */
export const updateOneCallback = keyedRoute({
  method: 'post',
  path: '/v1/callbacks/:id/update',
  scope: 'callbacks:write',
  operationId: 'updateCallback',
  tag: 'callbacks',
  summary: 'Change a callback',
  description: `What is left out stays. Made active again, what waited meanwhile is sent.`,
  params: callbackPath,
  body: jsonBody(callbackChangeSchema, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The callback as it is now.', callbackView) },
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await updateCallback(deps, { callbackId: params.id, apiKeyId }, body)),
  }),
});
