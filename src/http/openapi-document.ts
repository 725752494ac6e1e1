import { stringify } from 'yaml';
import { createDocument, type CreateDocumentOptions, type oas31 } from 'zod-openapi';
import { SCOPE_MEANINGS } from '../app/authenticate.ts';
import { operationOf } from './openapi-operation.ts';
import { problemAnswer } from './openapi-problems.ts';
import { TAGS, type Route } from './route.ts';

const DESCRIPTION = `Takes GDPR erasure requests in and shows how they go on.

- Bodies are JSON in UTF-8, at most 65536 bytes, where nothing else is said. A field that is not named here is refused.
- Every failure is an RFC 9457 problem (\`application/problem+json\`); errors.md says what each \`code\` means.
- No answer holds an identifier of a data subject, where nothing else is said: a subject is shown by its pseudonym.
- Calls of each API key are limited. Each answer to a key says in \`RateLimit-Policy\` and \`RateLimit\` what it has left
  (draft-ietf-httpapi-ratelimit-headers, version 8 and later).
- Each answer carries \`X-Request-Id\`: the caller's own, where it was 1 to 64 of \`A-Z a-z 0-9 . _ -\`.
`;

const scopes = Object.entries(SCOPE_MEANINGS).map(([scope, meaning]) => `- \`${scope}\` ${meaning}`);

/**
 * The OpenAPI 3.1 document of these routes. Everything that it says of a route is what serveRoute goes by, or the
 * route's own words.
 */
export function openApiDocument(routes: readonly Route[]): oas31.OpenAPIObject {
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Lethe API',
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
        description: DESCRIPTION,
      },
      servers: [{ url: '/' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      paths: pathsOf(routes),
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: `\`Authorization: Bearer lethe_...\`. Scopes of keys:\n\n${scopes.join('\n')}\n`,
          },
        },
        // Of no operation: the answer to every method that is not listed for its path.
        responses: { MethodNotAllowed: problemAnswer(['METHOD_NOT_ALLOWED']) },
      },
    },
    { override: plainer },
  );
}

const HEADER = `# What the routes of src/http/routes declare, to be read and to make clients of.
# Written by \`npm run openapi\`, and a test fails when it is out of date: change a route, never this file.
`;

/** The document as the text of docs/openapi.yaml. */
export function openApiYaml(routes: readonly Route[]): string {
  return (
    HEADER +
    stringify(openApiDocument(routes), {
      aliasDuplicateObjects: false,
      blockQuote: 'literal',
      lineWidth: 0,
      singleQuote: true,
    })
  );
}

function pathsOf(routes: readonly Route[]) {
  const paths: Record<string, Record<string, ReturnType<typeof operationOf>>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
  }
  return paths;
}

type Override = NonNullable<CreateDocumentOptions['override']>;

/** The same in words that people and tools read more easily. */
const plainer: Override = ({ jsonSchema }) => {
  // A pattern of 300 characters that says what the format says.
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (isEmpty(jsonSchema.properties)) delete jsonSchema.properties;
  if (isEmpty(jsonSchema.additionalProperties)) delete jsonSchema.additionalProperties;
  joinNull(jsonSchema);
};

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** `type: [string, 'null']` for a choice between a text and null; a reference to a component stays a choice. */
function joinNull(schema: Parameters<Override>[0]['jsonSchema']): void {
  const [value, nothing, ...more] = schema.anyOf ?? [];
  if (value === undefined || nothing?.type !== 'null' || more.length > 0) return;
  // A reference to a component has no type.
  if (typeof value.type !== 'string') return;
  delete schema.anyOf;
  const { type, enum: words } = value;
  Object.assign(schema, value, { type: [type, 'null'] }, words && { enum: [...words, null] });
}
