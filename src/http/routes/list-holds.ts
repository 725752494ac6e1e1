import { holdPage, listHolds } from '../../app/standing-holds.ts';
import { holdsQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Standing legal holds, newest first. */
export const listStandingHolds = keyedRoute({
  method: 'get',
  path: '/v1/holds',
  scope: 'holds:write',
  operationId: 'listStandingHolds',
  tag: 'legal holds',
  summary: 'List standing legal holds, newest first',
  query: holdsQuerySchema,
  answers: { 200: jsonAnswer('A page of holds.', holdPage) },
  handle: async ({ deps, query: { standing, cursor, limit } }) => ({
    status: 200,
    body: await listHolds(deps, { standing, before: cursor, limit }),
  }),
});
