import { connectionView, resumeConnection } from '../../app/pause-connection.ts';
import { connectionPath } from '../connection-path.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Ends a pause. */
export const resumeOneConnection = keyedRoute({
  method: 'post',
  path: '/v1/connections/:name/resume',
  scope: 'admin',
  operationId: 'resumeConnection',
  tag: 'connections',
  summary: 'Let calls to a connection leave again',
  description:
    'What waited goes on at once. A server that Lethe had left alone by itself is tried at once, too.',
  params: connectionPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The connection as it is now.', connectionView) },
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await resumeConnection(deps, { name: params.name, reason: body.reason, apiKeyId })),
  }),
});
