import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { SCOPES } from '../../src/app/authenticate.ts';
import { openApiYaml } from '../../src/http/openapi-document.ts';
import { PROBLEMS } from '../../src/http/problem.ts';
import { ROUTES } from '../../src/http/routes.ts';

const document = openApiYaml(ROUTES);

it('docs/openapi.yaml is what the routes declare: npm run openapi', () => {
  expect(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8')).toBe(document);
});

it('every problem is an answer of some route, and every scope is explained', () => {
  const said = new Set(document.match(/`[^`\n]+`/g));
  const named = [...Object.keys(PROBLEMS), ...SCOPES].map((name) => `\`${name}\``);
  expect(named.filter((name) => !said.has(name))).toEqual([]);
});
