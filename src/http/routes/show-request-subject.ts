import type { Deps } from '../../app/ports.ts';
import { showSubject } from '../../app/show-subject.ts';
import { parseQuery } from '../field-errors.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { found, requestIdIn } from '../request-path.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/** Whom a request is about: the one answer that holds an identifier. Each reading is an audit event. */
export function showRequestSubject(deps: Deps): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/erasure-requests/:id/subject',
    scope: 'requests:read',
    handle: async ({ req, res, apiKey }) => {
      parseQuery(emptyQuerySchema, req.query);
      const query = { requestId: requestIdIn(req), apiKeyId: apiKey.id };
      answerJson(res, 200, JSON.stringify(found(await showSubject(deps, query))));
    },
  };
}
