import { holdRequest } from '../../app/hold-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Puts a request on hold. */
export const holdErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/hold',
  scope: 'holds:write',
  operationId: 'holdErasureRequest',
  tag: 'decisions',
  summary: 'Put an erasure request on legal hold',
  description: `Puts a request on hold. Nothing more is submitted, and jobs that OpenReplay has not run yet are called back.`,
  params: requestPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['NOTHING_TO_HOLD', 'REQUEST_STATE_FORBIDS'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await holdRequest(deps, { requestId: params.id, apiKeyId, text: body.reason })),
  }),
});
