import { apiKeyList } from '../../app/api-key-schema.ts';
import { listApiKeys } from '../../app/show-api-keys.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Every key there is or was, without its token. They are few, so there are no pages. */
export const listKeys = keyedRoute({
  method: 'get',
  path: '/v1/api-keys',
  scope: 'admin',
  operationId: 'listApiKeys',
  tag: 'API keys',
  summary: 'List all API keys, the oldest first',
  description: 'Keys that were revoked or have expired stay in the list.',
  answers: { 200: jsonAnswer('All keys.', apiKeyList) },
  handle: async ({ deps }) => ({ status: 200, body: { items: await listApiKeys(deps) } }),
});
