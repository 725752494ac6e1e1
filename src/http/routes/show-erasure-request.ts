import type { Deps } from '../../app/ports.ts';
import { showRequest } from '../../app/show-request.ts';
import { parseQuery } from '../field-errors.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { found, requestIdIn } from '../request-path.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/** One request with its tasks. */
export function showErasureRequest(deps: Pick<Deps, 'store'>): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/erasure-requests/:id',
    scope: 'requests:read',
    handle: async ({ req, res }) => {
      parseQuery(emptyQuerySchema, req.query);
      const view = found(await showRequest(deps, requestIdIn(req)));
      answerJson(res, 200, JSON.stringify(view));
    },
  };
}
