import { z } from 'zod';
import { DOCS_PAGE } from '../docs-files.ts';
import { publicRoute } from '../route.ts';

/** The OpenAPI document as a page to read and to try. */
export const showDocs = publicRoute({
  method: 'get',
  path: '/docs',
  scope: null,
  operationId: 'showDocs',
  tag: 'service',
  summary: 'This document as a page',
  answers: { 200: { description: 'The page.', content: { 'text/html': z.string() } } },
  handle: () => ({ status: 200, body: DOCS_PAGE }),
});
