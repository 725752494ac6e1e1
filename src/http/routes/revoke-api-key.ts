import { apiKeyView } from '../../app/api-key-schema.ts';
import { revokeApiKey } from '../../app/revoke-api-key.ts';
import { apiKeyPath } from '../api-key-path.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Ends a key at once; asking twice changes nothing. */
export const revokeKey = keyedRoute({
  method: 'post',
  path: '/v1/api-keys/:id/revoke',
  scope: 'admin',
  operationId: 'revokeApiKey',
  tag: 'API keys',
  summary: 'End an API key at once',
  description: `Ends all tokens of the key. Asking twice changes nothing. The last admin key that opens cannot be revoked
here, only with \`npm run keys -- revoke\`.`,
  params: apiKeyPath,
  body: jsonBody(emptyCommandSchema, 'COMMAND_INVALID', { optional: true }),
  answers: { 200: jsonAnswer('The key as it is now.', apiKeyView) },
  problems: ['LAST_ADMIN_KEY'],
  handle: async ({ deps, params, apiKey }) => ({
    status: 200,
    body: await revokeApiKey(deps, params.id, apiKey),
  }),
});
