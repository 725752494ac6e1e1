import { listEvents } from '../../app/show-request.ts';
import { eventPageJson } from '../event-page.ts';
import { eventPage } from '../event-schema.ts';
import { eventsQuerySchema } from '../query-schemas.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** A page of a request's audit events. */
export const listRequestEvents = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id/events',
  scope: 'audit:read',
  operationId: 'listRequestEvents',
  tag: 'erasure requests',
  summary: 'List the audit events of an erasure request',
  description: `Each event stands in the answer as the exact canonical JSON (RFC 8785) that is stored; cut out of the
answer's bytes it hashes to its leaf in the log. Each reading is an event, \`audit.read\`, of \`/v1/admin-events\`.`,
  params: requestPath,
  query: eventsQuerySchema,
  answers: { 200: jsonAnswer('A page of events, by `seq`.', eventPage) },
  handle: async ({ deps, params, query, apiKeyId, found }) => ({
    status: 200,
    json: eventPageJson(found(await listEvents(deps, { requestId: params.id, apiKeyId, ...query }))),
  }),
});
