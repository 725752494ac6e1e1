import { extendRequest } from '../../app/extend-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Extends the statutory period. */
export const extendErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/extend',
  scope: 'requests:approve',
  operationId: 'extendErasureRequest',
  tag: 'decisions',
  summary: 'Extend the statutory period',
  description: `Extends the statutory period. Once, and only inside its first part; the reason is what the subject is told.`,
  params: requestPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS', 'EXTENSION_REFUSED'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await extendRequest(deps, { requestId: params.id, apiKeyId, text: body.reason })),
  }),
});
