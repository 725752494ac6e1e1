import { createCallback } from '../../app/callbacks.ts';
import { callbackWithSecret } from '../../app/callback-schema.ts';
import { callbackWishSchema } from '../callback-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Register a callback. */
export const createCallbackRoute = keyedRoute({
  method: 'post',
  path: '/v1/callbacks',
  scope: 'callbacks:write',
  operationId: 'createCallback',
  tag: 'callbacks',
  summary: 'Register a callback',
  description: `The secret stands in this answer and nowhere else; docs/callbacks.md tells how what is sent is checked with it.`,
  body: jsonBody(callbackWishSchema, 'COMMAND_INVALID'),
  answers: { 201: jsonAnswer('Registered.', callbackWithSecret) },
  problems: ['CALLBACKS_FULL'],
  handle: async ({ deps, body, apiKeyId }) => ({
    status: 201,
    body: await createCallback(deps, body, apiKeyId),
  }),
});
