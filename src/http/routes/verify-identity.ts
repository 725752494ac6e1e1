import { verifyIdentity } from '../../app/verify-identity.ts';
import { requestView } from '../../app/request-schema.ts';
import { identityCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Records how the identity of the subject was established. */
export const verifySubjectIdentity = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/:id/verify-identity',
  scope: 'requests:approve',
  operationId: 'verifySubjectIdentity',
  tag: 'decisions',
  summary: "Say how the subject's identity was established",
  description: `Records how the identity of the subject was established. A second time changes nothing.`,
  params: requestPath,
  body: jsonBody(identityCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The request as it is now.', requestView) },
  problems: ['REQUEST_STATE_FORBIDS'],
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(
      await verifyIdentity(deps, { requestId: params.id, apiKeyId, method: body.method, text: body.note }),
    ),
  }),
});
