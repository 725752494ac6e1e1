import { releaseRequest } from '../../app/hold-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Releases a request from its hold. */
export const releaseErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/release',
  scope: 'holds:write',
  operationId: 'releaseErasureRequest',
  tag: 'decisions',
  summary: 'Release an erasure request from a hold',
  description: `Releases a request from its hold. It goes on where it was, as far as its gates let it.`,
  params: requestPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS', 'HOLD_STANDS'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await releaseRequest(deps, { requestId: params.id, apiKeyId, text: body.reason })),
  }),
});
