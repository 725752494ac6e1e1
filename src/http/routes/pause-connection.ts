import { connectionView, pauseConnection } from '../../app/pause-connection.ts';
import { connectionPath } from '../connection-path.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** The stop button of a connection. */
export const pauseOneConnection = keyedRoute({
  method: 'post',
  path: '/v1/connections/:name/pause',
  scope: 'admin',
  operationId: 'pauseConnection',
  tag: 'connections',
  summary: 'Stop every call to a connection',
  description: `Once this is answered, no process sends anything more to that server, until it is resumed. Requests are
still taken in, and wait. What had been sent before may still be answered, and is written down.`,
  params: connectionPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The connection as it is now.', connectionView) },
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await pauseConnection(deps, { name: params.name, reason: body.reason, apiKeyId })),
  }),
});
