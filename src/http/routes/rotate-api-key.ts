import type { Deps } from '../../app/ports.ts';
import { rotateApiKey } from '../../app/rotate-api-key.ts';
import { apiKeyIdIn } from '../api-key-path.ts';
import { rotationSchema } from '../api-key-schemas.ts';
import { parseBody, parseQuery } from '../field-errors.ts';
import { readOptionalJsonBody } from '../json-body.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/** Gives a key a new token. This answer is the only one that holds it. */
export function rotateKey(deps: Deps): KeyedRoute {
  return {
    method: 'post',
    path: '/v1/api-keys/:id/rotate',
    scope: 'admin',
    handle: async ({ req, res, apiKey }) => {
      parseQuery(emptyQuerySchema, req.query);
      const keyId = apiKeyIdIn(req);
      const body = await readOptionalJsonBody(req, res);
      const { graceSeconds } = parseBody(rotationSchema, body, 'COMMAND_INVALID');
      answerJson(res, 200, JSON.stringify(await rotateApiKey(deps, { keyId, graceSeconds }, apiKey)));
    },
  };
}
