import type { RequestFilter } from '../../app/ports.ts';
import { requestPage } from '../../app/request-schema.ts';
import { listRequests } from '../../app/show-request.ts';
import { listQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** A page of requests, newest first. */
export const listErasureRequests = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests',
  scope: 'requests:read',
  operationId: 'listErasureRequests',
  tag: 'erasure requests',
  summary: 'List erasure requests, newest first',
  description: 'Pages stay stable while new requests come in.',
  query: listQuerySchema,
  answers: { 200: jsonAnswer('A page of requests.', requestPage) },
  handle: async ({ deps, query: { state, reference, subjectRef, cursor, limit } }) => {
    const filter: RequestFilter = {
      limit,
      ...(state !== undefined && { state }),
      ...(reference !== undefined && { reference }),
      ...(subjectRef !== undefined && { subjectRef }),
      ...(cursor !== undefined && { before: cursor }),
    };
    return { status: 200, body: await listRequests(deps, filter) };
  },
});
