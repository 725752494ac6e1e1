import { z } from 'zod';
import type {
  ZodOpenApiContentObject,
  ZodOpenApiOperationObject,
  ZodOpenApiResponseObject,
} from 'zod-openapi';
import { idempotencyKey } from './idempotency-key.ts';
import { problemAnswers, requestIdHeader } from './openapi-problems.ts';
import { quotaHeaders } from './rate-limit-headers.ts';
import type { Answer, Route } from './route.ts';

/** A route's part of the OpenAPI document. */
export function operationOf(route: Route): ZodOpenApiOperationObject {
  const { operationId, tag, summary, scope, body, answers } = route;
  return {
    operationId,
    tags: [tag],
    summary,
    ...descriptionOf(route),
    security: scope === null ? [] : [{ apiKey: [scope] }],
    ...parametersOf(route),
    ...(body && { requestBody: bodyOf(body) }),
    responses: {
      ...problemAnswers(route),
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, answerOf(answer, scope)]),
      ),
    },
  };
}

function parametersOf({
  params,
  query,
  takesIdempotencyKey,
}: Route): Pick<ZodOpenApiOperationObject, 'requestParams'> {
  const requestParams = {
    ...(params && { path: objectIn(params.schema) }),
    ...(query && { query: objectIn(query) }),
    ...(takesIdempotencyKey && { header: z.object({ 'Idempotency-Key': idempotencyKey }) }),
  };
  return Object.keys(requestParams).length === 0 ? {} : { requestParams };
}

/** The route's words, with the lines of the source put together. */
function descriptionOf({ scope, description = '' }: Route): { description?: string } {
  const needed = scope === null ? '' : `Needs the scope \`${scope}\`. `;
  const text = (needed + description).replace(/(?<!\n)\n(?![\n-])/g, ' ').trim();
  return text === '' ? {} : { description: text };
}

/** Parameters are the fields of an object; the types of Route do not say so. */
function objectIn(schema: z.ZodType): z.ZodObject {
  if (schema instanceof z.ZodObject) return schema;
  throw new TypeError('parameters are declared by z.strictObject');
}

function bodyOf({ required, description, content }: NonNullable<Route['body']>) {
  return { required, content: contentOf(content), ...(description !== undefined && { description }) };
}

function answerOf(
  { description, content, headers }: Answer,
  scope: Route['scope'],
): ZodOpenApiResponseObject {
  return {
    description,
    content: contentOf(content),
    headers: z.object({ ...headers, 'X-Request-Id': requestIdHeader, ...(scope !== null && quotaHeaders) }),
  };
}

function contentOf(content: Answer['content']): ZodOpenApiContentObject {
  return Object.fromEntries(Object.entries(content).map(([mediaType, schema]) => [mediaType, { schema }]));
}
