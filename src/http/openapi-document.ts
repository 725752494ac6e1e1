import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/**
 * The API's own OpenAPI document as JSON text, from docs/openapi.yaml of the package that this file is in (as source
 * or compiled). Throws when it is not there: an installation without it is incomplete.
 */
export function readOpenApiDocument(): string {
  const document: unknown = parse(readFileSync(join(packageRoot(), 'docs', 'openapi.yaml'), 'utf8'));
  return JSON.stringify(document);
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('there is no package.json above this file');
    folder = parent;
  }
  return folder;
}
