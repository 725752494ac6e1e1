import { showSubject } from '../../app/show-subject.ts';
import { subjectView } from '../../app/subject-schema.ts';
import { requestPath } from '../request-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** Whom a request is about: the one answer that holds an identifier. Each reading is an audit event. */
export const showRequestSubject = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id/subject',
  scope: 'requests:read',
  operationId: 'showRequestSubject',
  tag: 'erasure requests',
  summary: 'Show whom an erasure request is about',
  description: `The one answer that holds an identifier. Each reading is an audit event of the request, \`subject.read\`,
which names the API key. Closed requests show it for as long as it is kept.`,
  params: requestPath,
  answers: { 200: jsonAnswer('The subject.', subjectView) },
  problems: ['SUBJECT_GONE'],
  handle: async ({ deps, params, apiKeyId, found }) => ({
    status: 200,
    body: found(await showSubject(deps, { requestId: params.id, apiKeyId })),
  }),
});
