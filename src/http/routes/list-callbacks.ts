import { listCallbacks } from '../../app/callbacks.ts';
import { callbackList } from '../../app/callback-schema.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** List callbacks, the oldest first. */
export const listAllCallbacks = keyedRoute({
  method: 'get',
  path: '/v1/callbacks',
  scope: 'callbacks:write',
  operationId: 'listCallbacks',
  tag: 'callbacks',
  summary: 'List callbacks, the oldest first',
  answers: { 200: jsonAnswer('All there are.', callbackList) },
  handle: async ({ deps }) => ({ status: 200, body: await listCallbacks(deps) }),
});
