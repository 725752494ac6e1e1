import type { Deps } from '../../app/ports.ts';
import { listEvents } from '../../app/show-request.ts';
import { parseQuery } from '../field-errors.ts';
import { eventsQuerySchema } from '../query-schemas.ts';
import { found, requestIdIn } from '../request-path.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/**
 * A page of a request's audit events. Each event's stored text stands in the answer as it is: parsed and written
 * anew, it might no longer be the bytes that were hashed.
 */
export function listRequestEvents(deps: Pick<Deps, 'store'>): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/erasure-requests/:id/events',
    scope: 'requests:read',
    handle: async ({ req, res }) => {
      const query = parseQuery(eventsQuerySchema, req.query);
      const page = found(await listEvents(deps, { requestId: requestIdIn(req), ...query }));
      answerJson(
        res,
        200,
        `{"events":[${page.events.join(',')}],"nextAfter":${JSON.stringify(page.nextAfter)}}`,
      );
    },
  };
}
