import { previewView } from '../../app/preview-schema.ts';
import { previewSubject } from '../../app/preview-subject.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { previewSchema } from '../submission-schema.ts';

/** What a request would find just now; stores nothing but that it was asked. */
export const previewErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests/preview',
  scope: 'requests:read',
  operationId: 'previewErasureRequest',
  tag: 'erasure requests',
  summary: 'Look what an erasure request would find',
  description: `Asks OpenReplay where the subject is, and takes no request in. User ids that are found by an e-mail
address are shown as pseudonyms only. Each preview is an event, \`subject.previewed\`, of \`/v1/admin-events\`, which names
the API key and the pseudonyms of who was looked for.`,
  body: jsonBody(previewSchema, 'SUBMISSION_INVALID'),
  answers: { 200: jsonAnswer('What was found, and where it was looked for.', previewView) },
  problems: ['OPENREPLAY_UNAVAILABLE'],
  handle: async ({ deps, body, apiKeyId }) => ({
    status: 200,
    body: await previewSubject(deps, { ...body, apiKeyId }),
  }),
});
