import type { Deps } from '../../app/ports.ts';
import { listApiKeys } from '../../app/show-api-keys.ts';
import { parseQuery } from '../field-errors.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { answerJson, type KeyedRoute } from '../route.ts';

/** Every key there is or was, without its token. They are few, so there are no pages. */
export function listKeys(deps: Pick<Deps, 'store'>): KeyedRoute {
  return {
    method: 'get',
    path: '/v1/api-keys',
    scope: 'admin',
    handle: async ({ req, res }) => {
      parseQuery(emptyQuerySchema, req.query);
      answerJson(res, 200, JSON.stringify({ items: await listApiKeys(deps) }));
    },
  };
}
