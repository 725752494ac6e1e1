import { writeFile } from 'node:fs/promises';
import { openApiYaml } from '../http/openapi-document.ts';
import { ROUTES } from '../http/routes.ts';

/** `npm run openapi`: writes docs/openapi.yaml below the current folder, or the file that is named. */
const target = process.argv[2] ?? 'docs/openapi.yaml';
await writeFile(target, openApiYaml(ROUTES));
process.stdout.write(`Wrote ${target}.\n`);
