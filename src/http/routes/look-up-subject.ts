import { subjectOf } from '../../app/check-submission.ts';
import { lookUpSubject } from '../../app/look-up-subject.ts';
import { lookupView } from '../../app/lookup-schema.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { lookupSchema } from '../submission-schema.ts';

/** Whether and when somebody was erased. */
export const lookUpSubjectRoute = keyedRoute({
  method: 'post',
  path: '/v1/subjects/lookup',
  scope: 'audit:read',
  operationId: 'lookUpSubject',
  tag: 'erasure requests',
  summary: "Look up what was done with a person's data",
  description: `Was this person's data erased, when, and under which certificate: by the identifiers' pseudonyms, so also after the
identifiers themselves were destroyed. OpenReplay is not asked. Each lookup is an event, \`subject.looked_up\`, of
\`/v1/admin-events\`, which names the API key and the pseudonyms of who was looked for.`,
  body: jsonBody(lookupSchema, 'COMMAND_INVALID'),
  answers: { 200: jsonAnswer('The requests for this person.', lookupView) },
  handle: async ({ deps, body, apiKeyId }) => ({
    status: 200,
    body: await lookUpSubject(deps, { subject: subjectOf(body), apiKeyId }),
  }),
});
