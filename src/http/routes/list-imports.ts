import { importPage } from '../../app/import-schema.ts';
import type { ImportFilter } from '../../app/ports/imports.ts';
import { listImports } from '../../app/show-import.ts';
import { importsQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** A page of imports, newest first. */
export const listAllImports = keyedRoute({
  method: 'get',
  path: '/v1/imports',
  scope: 'requests:write',
  operationId: 'listImports',
  tag: 'imports',
  summary: 'List imports, newest first',
  query: importsQuerySchema,
  answers: { 200: jsonAnswer('A page of imports.', importPage) },
  handle: async ({ deps, apiKeyId, query: { idempotencyKey, cursor, limit } }) => {
    const filter: ImportFilter = {
      limit,
      ...(idempotencyKey !== undefined && { named: { apiKeyId, idempotencyKey } }),
      ...(cursor !== undefined && { before: cursor }),
    };
    return { status: 200, body: await listImports(deps, filter) };
  },
});
