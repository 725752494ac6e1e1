import { newTokenView } from '../../app/api-key-schema.ts';
import { createApiKey } from '../../app/create-api-key.ts';
import { keyWishSchema } from '../api-key-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Makes a key. This answer is the only one that holds its token. */
export const createKey = keyedRoute({
  method: 'post',
  path: '/v1/api-keys',
  scope: 'admin',
  operationId: 'createApiKey',
  tag: 'API keys',
  summary: 'Make an API key',
  description: `The token stands in this answer and nowhere else. A key can give only scopes that it has; \`admin\` has
all.`,
  body: jsonBody(keyWishSchema, 'COMMAND_INVALID'),
  answers: { 201: jsonAnswer('Made.', newTokenView) },
  problems: ['SCOPE_NOT_HELD'],
  handle: async ({ deps, body, apiKey }) => ({
    status: 201,
    body: await createApiKey(deps, body, apiKey),
  }),
});
