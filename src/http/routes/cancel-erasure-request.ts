import { cancelRequest } from '../../app/cancel-request.ts';
import type { Deps } from '../../app/ports.ts';
import { parseBody, parseQuery } from '../field-errors.ts';
import { readOptionalJsonBody } from '../json-body.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { found, requestIdIn } from '../request-path.ts';
import { answerJson, type KeyedRoute } from '../route.ts';
import { emptyCommandSchema } from '../submission-schema.ts';

/** Cancels a request. Takes no fields yet; one that is sent is refused rather than passed over. */
export function cancelErasureRequest(deps: Deps): KeyedRoute {
  return {
    method: 'post',
    path: '/v1/erasure-requests/:id/cancel',
    scope: 'requests:write',
    handle: async ({ req, res, apiKeyId }) => {
      parseQuery(emptyQuerySchema, req.query);
      const requestId = requestIdIn(req);
      parseBody(emptyCommandSchema, await readOptionalJsonBody(req, res), 'COMMAND_INVALID');
      const view = found(await cancelRequest(deps, { requestId, apiKeyId }));
      answerJson(res, 200, JSON.stringify(view));
    },
  };
}
