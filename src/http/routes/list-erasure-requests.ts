import type { Deps, RequestFilter } from '../../app/ports.ts';
import { listRequests } from '../../app/show-request.ts';
import { parseQuery } from '../field-errors.ts';
import { listQuerySchema } from '../query-schemas.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/** A page of requests, newest first. */
export function listErasureRequests(deps: Pick<Deps, 'store'>): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/erasure-requests',
    scope: 'requests:read',
    handle: async ({ req, res }) => {
      const { state, reference, cursor, limit } = parseQuery(listQuerySchema, req.query);
      const filter: RequestFilter = {
        limit,
        ...(state !== undefined && { state }),
        ...(reference !== undefined && { reference }),
        ...(cursor !== undefined && { before: cursor }),
      };
      answerJson(res, 200, JSON.stringify(await listRequests(deps, filter)));
    },
  };
}
