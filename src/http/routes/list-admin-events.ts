import { listAdminEvents } from '../../app/show-api-keys.ts';
import { eventPageJson } from '../event-page.ts';
import { adminEventPage } from '../event-schema.ts';
import { eventsQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** A page of what was done to keys and holds, and of previews. */
export const listKeyEvents = keyedRoute({
  method: 'get',
  path: '/v1/admin-events',
  scope: 'audit:read',
  operationId: 'listAdminEvents',
  tag: 'API keys',
  summary: 'List what was done to API keys and standing holds, who looked for whom and who read a report',
  description: `Each event stands in the answer as the exact canonical JSON (RFC 8785) that is stored. Each reading is itself such
an event, \`audit.read\`, which stands after those that were read.`,
  query: eventsQuerySchema,
  answers: { 200: jsonAnswer('A page of events, by `seq`.', adminEventPage) },
  handle: async ({ deps, query, apiKeyId }) => ({
    status: 200,
    json: eventPageJson(await listAdminEvents(deps, { ...query, apiKeyId })),
  }),
});
