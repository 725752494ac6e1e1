import { closeRequest } from '../../app/close-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Closes a request by a decision to accept what is left. */
export const closeErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/close',
  scope: 'requests:approve',
  operationId: 'closeErasureRequest',
  tag: 'decisions',
  summary: 'Close an erasure request by decision',
  description: `Closes a request by a decision to accept what is left. The tasks stay as they are, so that the record shows what was accepted.`,
  params: requestPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS', 'TASKS_UNDER_WAY'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await closeRequest(deps, { requestId: params.id, apiKeyId, text: body.reason })),
  }),
});
