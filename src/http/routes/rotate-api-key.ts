import { newTokenView } from '../../app/api-key-schema.ts';
import { rotateApiKey } from '../../app/rotate-api-key.ts';
import { apiKeyPath } from '../api-key-path.ts';
import { rotationSchema } from '../api-key-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Gives a key a new token. This answer is the only one that holds it. */
export const rotateKey = keyedRoute({
  method: 'post',
  path: '/v1/api-keys/:id/rotate',
  scope: 'admin',
  operationId: 'rotateApiKey',
  tag: 'API keys',
  summary: 'Give an API key a new token',
  description: `The key keeps its id, scopes and limit. The old token opens for \`graceSeconds\` more; one that was
replaced before ends at once.`,
  params: apiKeyPath,
  body: jsonBody(rotationSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The key with its new token.', newTokenView) },
  problems: ['API_KEY_ENDED'],
  handle: async ({ deps, params, body, apiKey }) => ({
    status: 200,
    body: await rotateApiKey(deps, { keyId: params.id, graceSeconds: body.graceSeconds }, apiKey),
  }),
});
