import { showCallback } from '../../app/callbacks.ts';
import { callbackView } from '../../app/callback-schema.ts';
import { callbackPath } from '../callback-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Show a callback. */
export const showOneCallback = keyedRoute({
  method: 'get',
  path: '/v1/callbacks/:id',
  scope: 'callbacks:write',
  operationId: 'showCallback',
  tag: 'callbacks',
  summary: 'Show a callback',
  params: callbackPath,
  answers: { 200: jsonAnswer('The callback.', callbackView) },
  handle: async ({ deps, params, found }) => ({
    status: 200,
    body: found(await showCallback(deps, params.id)),
  }),
});
