import { refuseRequest } from '../../app/refuse-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { refusalCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Refuses a request on a ground of the law, in words for the subject (Art. */
export const refuseErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/refuse',
  scope: 'requests:approve',
  operationId: 'refuseErasureRequest',
  tag: 'decisions',
  summary: 'Refuse an erasure request',
  description: `Refuses a request on a ground of the law, in words for the subject (Art. 12(4)). Only while nothing was submitted to OpenReplay.`,
  params: requestPath,
  body: jsonBody(refusalCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(
      await refuseRequest(deps, { requestId: params.id, apiKeyId, ground: body.ground, text: body.text }),
    ),
  }),
});
