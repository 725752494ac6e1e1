import { listReplies, replyList } from '../../app/list-replies.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** What the ticket of a request was told, and what could not be told yet. */
export const listRequestReplies = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id/replies',
  scope: 'requests:read',
  operationId: 'listRequestReplies',
  tag: 'erasure requests',
  summary: 'List the answers to the ticket of an erasure request, newest first',
  description: 'Empty where no ticket system is configured that its reference fits. Kept as deliveries are.',
  params: requestPath,
  answers: { 200: jsonAnswer('The latest answers.', replyList) },
  handle: async ({ deps, params, found }) => ({
    status: 200,
    body: found(await listReplies(deps, params.id)),
  }),
});
