import { deleteCallback } from '../../app/callbacks.ts';
import { callbackView } from '../../app/callback-schema.ts';
import { callbackPath } from '../callback-path.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Delete a callback. */
export const deleteOneCallback = keyedRoute({
  method: 'post',
  path: '/v1/callbacks/:id/delete',
  scope: 'callbacks:write',
  operationId: 'deleteCallback',
  tag: 'callbacks',
  summary: 'Delete a callback',
  description: `With its deliveries and their log. What is being sent at this moment may still arrive.`,
  params: callbackPath,
  body: jsonBody(emptyCommandSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The callback as it was.', callbackView) },
  handle: async ({ deps, params, apiKeyId, found }) => ({
    status: 200,
    body: found(await deleteCallback(deps, { callbackId: params.id, apiKeyId })),
  }),
});
