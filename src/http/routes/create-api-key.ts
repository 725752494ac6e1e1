import { createApiKey } from '../../app/create-api-key.ts';
import type { Deps } from '../../app/ports.ts';
import { keyWishSchema } from '../api-key-schemas.ts';
import { parseBody, parseQuery } from '../field-errors.ts';
import { readJsonBody } from '../json-body.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/** Makes a key. This answer is the only one that holds its token. */
export function createKey(deps: Deps): KeyedRoute {
  return {
    method: 'post',
    path: '/v1/api-keys',
    scope: 'admin',
    handle: async ({ req, res, apiKey }) => {
      parseQuery(emptyQuerySchema, req.query);
      const wish = parseBody(keyWishSchema, await readJsonBody(req, res), 'COMMAND_INVALID');
      answerJson(res, 201, JSON.stringify(await createApiKey(deps, wish, apiKey)));
    },
  };
}
