import { approveRequest } from '../../app/approve-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { noteCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Approves a request that waits for approval. */
export const approveErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/approve',
  scope: 'requests:approve',
  operationId: 'approveErasureRequest',
  tag: 'decisions',
  summary: 'Approve an erasure request',
  description: `Approves a request that waits for approval. The key that submitted it cannot; the same key approves once, however often it asks.`,
  params: requestPath,
  body: jsonBody(noteCommand, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS', 'APPROVER_IS_SUBMITTER'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await approveRequest(deps, { requestId: params.id, apiKeyId, text: body.note })),
  }),
});
