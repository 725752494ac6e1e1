import { reportFilter } from '../../app/report-period.ts';
import { summarize, summaryView } from '../../app/summarize.ts';
import { summaryQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Numbers of the requests that came in, by month. */
export const showSummary = keyedRoute({
  method: 'get',
  path: '/v1/reports/summary',
  scope: 'reports:read',
  operationId: 'showSummary',
  tag: 'reports',
  summary: 'Count requests by month of receipt and regulation',
  description: `How many came in, what became of them, and how long it took. Months are those of the time zone of each
regulation's deadlines.`,
  query: summaryQuerySchema,
  answers: { 200: jsonAnswer('The numbers.', summaryView) },
  handle: async ({ deps, query }) => ({
    status: 200,
    body: await summarize(deps, reportFilter(deps, query)),
  }),
});
