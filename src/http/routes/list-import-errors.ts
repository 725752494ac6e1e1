import { importErrorPage } from '../../app/import-schema.ts';
import { listImportErrors } from '../../app/show-import.ts';
import { importPath } from '../import-path.ts';
import { importErrorsQuerySchema } from '../query-schemas.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** A page of the rows that an import rejected. */
export const listRejectedRows = keyedRoute({
  method: 'get',
  path: '/v1/imports/:id/errors',
  scope: 'requests:write',
  operationId: 'listImportErrors',
  tag: 'imports',
  summary: 'List the rows that an import rejected',
  params: importPath,
  query: importErrorsQuerySchema,
  answers: { 200: jsonAnswer('A page of rejected rows, by line.', importErrorPage) },
  handle: async ({ deps, params, query, found }) => ({
    status: 200,
    body: found(await listImportErrors(deps, { importId: params.id, ...query })),
  }),
});
