import { connectionList, listConnections } from '../../app/pause-connection.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** The configured connections and how each does. */
export const listAllConnections = keyedRoute({
  method: 'get',
  path: '/v1/connections',
  scope: 'requests:read',
  operationId: 'listConnections',
  tag: 'connections',
  summary: 'List the connections to OpenReplay, and whether calls leave for each',
  answers: { 200: jsonAnswer('Every configured connection.', connectionList) },
  handle: async ({ deps }) => ({ status: 200, body: { items: [...(await listConnections(deps))] } }),
});
