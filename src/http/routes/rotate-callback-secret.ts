import { rotateCallbackSecret } from '../../app/callbacks.ts';
import { callbackWithSecret } from '../../app/callback-schema.ts';
import { callbackPath } from '../callback-path.ts';
import { secretRotationSchema } from '../callback-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Give a callback a new secret. */
export const rotateOneCallbackSecret = keyedRoute({
  method: 'post',
  path: '/v1/callbacks/:id/rotate-secret',
  scope: 'callbacks:write',
  operationId: 'rotateCallbackSecret',
  tag: 'callbacks',
  summary: 'Give a callback a new secret',
  description: `For \`graceSeconds\` more, a day where it is left out, \`webhook-signature\` has a signature with the old secret too.`,
  params: callbackPath,
  body: jsonBody(secretRotationSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The callback with its new secret.', callbackWithSecret) },
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await rotateCallbackSecret(deps, { callbackId: params.id, apiKeyId }, body.graceSeconds)),
  }),
});
