import { retryRequest } from '../../app/retry-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { retryCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Tries again what needs a person. */
export const retryErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/retry',
  scope: 'requests:approve',
  operationId: 'retryErasureRequest',
  tag: 'decisions',
  summary: 'Try again what needs a person',
  description: `Tries again what needs a person. Tasks that failed or left something begin another round; a request without tasks has its subject looked
for again; an access package that lacks something is gathered again, or accepted.`,
  params: requestPath,
  body: jsonBody(retryCommand, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS', 'NOTHING_TO_RETRY'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(
      await retryRequest(deps, {
        requestId: params.id,
        apiKeyId,
        text: body.reason,
        expectedTasks: body.expect?.tasks,
        acceptIncomplete: body.acceptIncomplete,
      }),
    ),
  }),
});
