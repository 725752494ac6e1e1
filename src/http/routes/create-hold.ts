import { subjectOf } from '../../app/check-submission.ts';
import { createHold, holdView } from '../../app/standing-holds.ts';
import { holdCommand } from '../decision-schemas.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Puts a standing legal hold on a subject. */
export const createStandingHold = keyedRoute({
  method: 'post',
  path: '/v1/holds',
  scope: 'holds:write',
  operationId: 'createStandingHold',
  tag: 'legal holds',
  summary: 'Put a standing legal hold on a subject',
  description: `Every open request for the subject is put on hold, every later one is caught when it comes in, and each
once more at the moment of submission. Once 201 is sent, nothing more of the subject is deleted.`,
  body: jsonBody(holdCommand, 'COMMAND_INVALID'),
  answers: { 201: jsonAnswer('The hold.', holdView) },
  handle: async ({ deps, body, apiKeyId }) => ({
    status: 201,
    body: await createHold(deps, { ...body, subject: subjectOf(body), apiKeyId }),
  }),
});
