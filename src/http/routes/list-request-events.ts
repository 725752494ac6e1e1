import type { Deps } from '../../app/ports.ts';
import { listEvents } from '../../app/show-request.ts';
import { answerEvents } from '../event-page.ts';
import { parseQuery } from '../field-errors.ts';
import { eventsQuerySchema } from '../query-schemas.ts';
import { found, requestIdIn } from '../request-path.ts';
import type { KeyedRoute } from '../route.ts';

/** A page of a request's audit events. */
export function listRequestEvents(deps: Pick<Deps, 'store'>): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/erasure-requests/:id/events',
    scope: 'audit:read',
    handle: async ({ req, res }) => {
      const query = parseQuery(eventsQuerySchema, req.query);
      answerEvents(res, found(await listEvents(deps, { requestId: requestIdIn(req), ...query })));
    },
  };
}
