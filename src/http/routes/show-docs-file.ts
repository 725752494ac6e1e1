import { z } from 'zod';
import { DOCS_FILES, readDocsFile } from '../docs-files.ts';
import { publicRoute } from '../route.ts';

/** What the page loads comes from here and not from elsewhere: it works without the Internet. */
export const showDocsFile = publicRoute({
  method: 'get',
  path: '/docs/:file',
  scope: null,
  operationId: 'showDocsFile',
  tag: 'service',
  summary: 'What the page loads',
  params: {
    schema: z.strictObject({ file: z.enum(DOCS_FILES) }),
    problem: 'ROUTE_NOT_FOUND',
    absent: 'The page loads no such file.',
  },
  answers: {
    200: {
      description: 'The file.',
      content: { 'text/css': z.string(), 'text/javascript': z.string() },
    },
  },
  handle: async ({ params: { file } }) => ({
    status: 200,
    body: await readDocsFile(file),
    mediaType: file.endsWith('.css') ? 'text/css' : 'text/javascript',
  }),
});
