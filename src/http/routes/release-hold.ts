import { holdView, releaseHold } from '../../app/standing-holds.ts';
import { reasonCommand } from '../decision-schemas.ts';
import { holdPath } from '../hold-path.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Releases a standing legal hold. */
export const releaseStandingHold = keyedRoute({
  method: 'post',
  path: '/v1/holds/:id/release',
  scope: 'holds:write',
  operationId: 'releaseStandingHold',
  tag: 'legal holds',
  summary: 'Release a standing legal hold',
  description: `Requests that only standing holds kept, and none keeps any more, go on where they were. What a person
put on hold stays so. A second time changes nothing.`,
  params: holdPath,
  body: jsonBody(reasonCommand, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The hold as it is now.', holdView) },
  handle: async ({ deps, params, body, apiKeyId, found }) => ({
    status: 200,
    body: found(await releaseHold(deps, { holdId: params.id, reason: body.reason, apiKeyId })),
  }),
});
