import { cancelRequest } from '../../app/cancel-request.ts';
import { requestView } from '../../app/request-schema.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Cancels a request. Takes no fields yet; one that is sent is refused rather than passed over. */
export const cancelErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/cancel',
  scope: 'requests:write',
  operationId: 'cancelErasureRequest',
  tag: 'erasure requests',
  summary: 'Cancel an erasure request',
  description: `Before anything was sent to OpenReplay the request just ends. Afterwards its jobs are cancelled where
they still can be; what they did meanwhile counts and is shown. Asking twice changes nothing.`,
  params: requestPath,
  body: jsonBody(emptyCommandSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_CLOSED'],
  handle: async ({ deps, params, apiKeyId, found }) => ({
    status: 200,
    body: found(await cancelRequest(deps, { requestId: params.id, apiKeyId })),
  }),
});
