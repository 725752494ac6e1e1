import type { Deps } from '../../app/ports.ts';
import { listAdminEvents } from '../../app/show-api-keys.ts';
import { answerEvents } from '../event-page.ts';
import { parseQuery } from '../field-errors.ts';
import { eventsQuerySchema } from '../query-schemas.ts';
import type { KeyedRoute } from '../route.ts';

/** A page of what was done to keys. */
export function listKeyEvents(deps: Pick<Deps, 'store'>): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/admin-events',
    scope: 'audit:read',
    handle: async ({ req, res }) => {
      answerEvents(res, await listAdminEvents(deps, parseQuery(eventsQuerySchema, req.query)));
    },
  };
}
