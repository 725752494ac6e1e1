import { requestView } from '../../app/request-schema.ts';
import { showRequest } from '../../app/show-request.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** One request with its tasks. */
export const showErasureRequest = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id',
  scope: 'requests:read',
  operationId: 'showErasureRequest',
  tag: 'erasure requests',
  summary: 'Show an erasure request with its tasks',
  params: requestPath,
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  handle: async ({ deps, params, found }) => ({
    status: 200,
    body: found(await showRequest(deps, params.id)),
  }),
});
