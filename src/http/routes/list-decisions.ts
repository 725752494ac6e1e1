import { decisionList, listDecisions } from '../../app/list-decisions.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** What people decided about a request, in their own words. */
export const listRequestDecisions = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id/decisions',
  scope: 'requests:read',
  operationId: 'listRequestDecisions',
  tag: 'decisions',
  summary: 'List what people decided about an erasure request',
  description: 'In the order of the decisions, with who decided, when, on what ground and in what words.',
  params: requestPath,
  answers: { 200: jsonAnswer('The decisions.', decisionList) },
  handle: async ({ deps, params, found }) => ({
    status: 200,
    body: found(await listDecisions(deps, params.id)),
  }),
});
