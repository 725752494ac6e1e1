import { sourceList } from '../../app/delivery-schema.ts';
import { listSources } from '../../app/show-deliveries.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** The sources of tickets, with what became of what they delivered. */
export const listTicketSources = keyedRoute({
  method: 'get',
  path: '/v1/webhook-sources',
  scope: 'requests:read',
  operationId: 'listTicketSources',
  tag: 'ticketing',
  summary: 'List the sources of tickets, and what became of their deliveries',
  answers: { 200: jsonAnswer('Every source that is configured, or was.', sourceList) },
  handle: async ({ deps }) => ({ status: 200, body: await listSources(deps) }),
});
