import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where the packages of this installation lie. */
const packages = createRequire(import.meta.url);

/** Our own part of the page: a file of its own, since the content security policy lets no script stand in the page. */
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
`;

export const DOCS_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Lethe API</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

export const DOCS_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'start.js'] as const;

/** The text of a file that the page loads. Read when it is asked for: few processes ever show the page. */
export async function readDocsFile(name: (typeof DOCS_FILES)[number]): Promise<string> {
  if (name === 'start.js') return START;
  const folder = dirname(packages.resolve('swagger-ui-dist/package.json'));
  return readFile(join(folder, name), 'utf8');
}
