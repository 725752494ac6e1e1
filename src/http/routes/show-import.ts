import { importView } from '../../app/import-schema.ts';
import { showImport } from '../../app/show-import.ts';
import { importPath } from '../import-path.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

/** How far an import has come. */
export const showOneImport = keyedRoute({
  method: 'get',
  path: '/v1/imports/:id',
  scope: 'requests:write',
  operationId: 'showImport',
  tag: 'imports',
  summary: 'Show an import and the first rows that it rejected',
  params: importPath,
  answers: { 200: jsonAnswer('The import as it is now.', importView) },
  handle: async ({ deps, params, found }) => ({
    status: 200,
    body: found(await showImport(deps, params.id)),
  }),
});
