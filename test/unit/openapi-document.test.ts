import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { openApiYaml } from '../../src/http/openapi-document.ts';
import { ROUTES } from '../../src/http/routes.ts';

it('docs/openapi.yaml is what the routes declare', () => {
  const written = readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8');
  expect(openApiYaml(ROUTES)).toBe(written);
});
