import type { Deps } from '../../app/ports.ts';
import { revokeApiKey } from '../../app/revoke-api-key.ts';
import { apiKeyIdIn } from '../api-key-path.ts';
import { parseBody, parseQuery } from '../field-errors.ts';
import { readOptionalJsonBody } from '../json-body.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { answerJson, type KeyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Ends a key at once; asking twice changes nothing. */
export function revokeKey(deps: Deps): KeyedRoute {
  return {
    method: 'post',
    path: '/v1/api-keys/:id/revoke',
    scope: 'admin',
    handle: async ({ req, res, apiKey }) => {
      parseQuery(emptyQuerySchema, req.query);
      const keyId = apiKeyIdIn(req);
      parseBody(emptyCommandSchema, await readOptionalJsonBody(req, res), 'COMMAND_INVALID');
      answerJson(res, 200, JSON.stringify(await revokeApiKey(deps, keyId, apiKey)));
    },
  };
}
