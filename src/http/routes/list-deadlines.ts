import { deadlinePage, listDeadlines } from '../../app/list-deadlines.ts';
import { deadlinesQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** What is late, may become late, or is due soon. */
export const listRequestDeadlines = keyedRoute({
  method: 'get',
  path: '/v1/deadlines',
  scope: 'reports:read',
  operationId: 'listDeadlines',
  tag: 'deadlines',
  summary: 'List open requests that are overdue, at risk or due soon, the first due first',
  description: `Overdue requests, those whose forecast comes too close to their due date, however far off that is, and
those due within \`days\`.`,
  query: deadlinesQuerySchema,
  answers: { 200: jsonAnswer('A page of deadlines.', deadlinePage) },
  handle: async ({ deps, query }) => ({ status: 200, body: await listDeadlines(deps, query) }),
});
