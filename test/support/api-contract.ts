import { isDay } from '../../src/domain/day.ts';
import { readFile } from 'node:fs/promises';
import type { OpenAPIBackend, Operation, SetMatchType } from 'openapi-backend';
import { parse } from 'yaml';
import { z } from 'zod';
import { definitionOf, importOpenApiBackend, textOf } from './openapi-backend.ts';

const DOCUMENT = new URL('../../docs/openapi.yaml', import.meta.url);

/** A request to our API and its answer. `path` is the raw request target; names of headers are in small letters. */
export interface Exchange {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
  readonly answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

export interface ApiContract {
  /** What docs/openapi.yaml holds. */
  readonly document: unknown;
  /** `path` is as in the document: `/v1/erasure-requests/{id}`. */
  readonly operations: readonly { readonly method: string; readonly path: string }[];
  /**
   * Every way in which the answer differs from docs/openapi.yaml: status, content type, headers, body. What was
   * accepted (a status below 400) must also have been asked as the document says.
   */
  check(exchange: Exchange): string[];
}

/** Answers that belong to no operation of the document; openapi-backend knows them as operations of these paths. */
const NO_ROUTE = '/-/no-such-route';
const NO_METHOD = '/-/no-such-method';
const OUTSIDE = {
  [NO_ROUTE]: outside('ROUTE_NOT_FOUND', { '404': { $ref: '#/components/responses/RouteNotFound' } }),
  [NO_METHOD]: outside('METHOD_NOT_ALLOWED', { '405': { $ref: '#/components/responses/MethodNotAllowed' } }),
};

function outside(operationId: string, responses: object) {
  return { get: { operationId, responses } };
}

const openApi = z.looseObject({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.looseObject({})),
});

let loaded: Promise<ApiContract> | undefined;

/** The contract of docs/openapi.yaml, loaded once for each file of tests: schemas take some time to compile. */
export function loadApiContract(): Promise<ApiContract> {
  return (loaded ??= load());
}

/**
 * Loads docs/openapi.yaml into openapi-backend, a validator that is not ours. It knows OpenAPI 3.1 as far as the
 * document uses it: a keyword or format of a schema that it does not know makes `check` throw. It looks only at bodies
 * of the type application/json, so problems are given to it as such; real content types are compared here.
 */
async function load(): Promise<ApiContract> {
  const { OpenAPIBackend, SetMatchType } = await importOpenApiBackend();
  const document: unknown = parse(await readFile(DOCUMENT, 'utf8'));
  const { paths, ...rest } = openApi.parse(document);
  const api = new OpenAPIBackend({
    definition: definitionOf(asJson({ ...rest, paths: { ...paths, ...OUTSIDE } })),
    // The document would be checked against the schema of OpenAPI 3.0, which has other types.
    quick: true,
    validate: true,
    ignoreTrailingSlashes: false,
    ajvOpts: { strictSchema: true, allErrors: true },
    customizeAjv: (ajv) => {
      ajv.addFormat('date-time', { validate: isDateTime });
      ajv.addFormat('date', { validate: isDay });
      return ajv;
    },
  });
  await api.init();
  const operations = api.getOperations().map(({ method, path }) => ({ method: method.toUpperCase(), path }));
  return {
    document,
    operations: operations.filter(({ path }) => !(path in OUTSIDE)),
    check: (exchange) => check({ api, superset: SetMatchType.Superset }, exchange),
  };
}

const dateTime = z.iso.datetime({ offset: true });

function isDateTime(text: string): boolean {
  return dateTime.safeParse(text).success;
}

const JSON_TYPE = 'application/json';
/** Always UTF-8: it has no charset. */
const LINES_TYPE = 'application/x-ndjson';
const PROBLEM_TYPE = 'application/problem+json';
/** Where asJson notes a content type that it replaced. */
const REAL_TYPE = 'x-real-type';
const problemContent = z.strictObject({ [PROBLEM_TYPE]: z.looseObject({}) });

/** A copy in which each content of problems is one of plain JSON. */
function asJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asJson);
  const problem = problemContent.safeParse(value);
  if (problem.success) {
    return { [JSON_TYPE]: { ...problem.data[PROBLEM_TYPE], [REAL_TYPE]: PROBLEM_TYPE } };
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) return value;
  return Object.fromEntries(Object.entries(object.data).map(([name, inner]) => [name, asJson(inner)]));
}

interface Validator {
  readonly api: OpenAPIBackend;
  /** All headers that the document names, and any others. */
  readonly superset: SetMatchType;
}

function check({ api, superset }: Validator, { request, answer }: Exchange): string[] {
  const operation = operationOf(api, request);
  const { status, headers } = answer;
  const response = responseOf(operation, status);
  if (response === undefined) return [`status ${status} is not one of ${operation.operationId}`];
  const headerErrors = api.validateResponseHeaders({ ...headers }, operation, {
    statusCode: status,
    setMatchType: superset,
  });
  return [
    ...textOf(headerErrors.errors).map((text) => `header ${text}`),
    ...everyAnswer(answer),
    ...contentErrors(response, headers),
    ...(request.method === 'HEAD' ? noBody(answer) : []),
    // Of other types than JSON there is nothing to hold the body against.
    ...(request.method !== 'HEAD' && JSON_TYPE in response.content
      ? bodyErrors(answer, (body) => textOf(api.validateResponse(body, operation, status).errors))
      : []),
    ...(status < 400 ? requestErrors(api, operation, request) : []),
  ];
}

/** HEAD is answered as GET is. */
function operationOf(api: OpenAPIBackend, { method, path }: Exchange['request']): Operation {
  const find = (by: string) => api.matchOperation({ method: by, path, headers: {} });
  const known = find(method === 'HEAD' ? 'GET' : method);
  if (known !== undefined) return known;
  const isPath = ['GET', 'POST'].some((other) => find(other) !== undefined);
  const none = api.matchOperation({ method: 'GET', path: isPath ? NO_METHOD : NO_ROUTE, headers: {} });
  if (none === undefined) throw new Error('openapi-backend lost an operation');
  return none;
}

const mediaType = z.looseObject({ [REAL_TYPE]: z.literal(PROBLEM_TYPE).optional() });
const responses = z.record(z.string(), z.looseObject({ content: z.record(z.string(), mediaType) }));
type DocumentedResponse = z.output<typeof responses>[string];

function responseOf(operation: Operation, status: number): DocumentedResponse | undefined {
  return responses.parse(operation.responses)[String(status)];
}

function contentErrors({ content }: DocumentedResponse, headers: Exchange['answer']['headers']): string[] {
  const expected = Object.entries(content).map(([type, { [REAL_TYPE]: real }]) => real ?? type);
  const type = headers['content-type'];
  if (expected.some((each) => type === `${each}; charset=utf-8`)) return [];
  if (type === LINES_TYPE && expected.includes(LINES_TYPE)) return [];
  return [`content type ${type} instead of ${expected.join(' or ')}`];
}

/** What the document says of every answer in its introduction, and what no answer may lack. */
function everyAnswer({ headers }: Exchange['answer']): string[] {
  const errors: string[] = [];
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(headers['x-request-id'] ?? '')) errors.push('no X-Request-Id');
  if (headers['cache-control'] !== 'no-store') errors.push('may be kept by a cache');
  if (headers['x-content-type-options'] !== 'nosniff') errors.push('its type may be guessed');
  return errors;
}

function noBody({ body }: Exchange['answer']): string[] {
  return body === '' ? [] : ['a body after HEAD'];
}

const anyProblem = z.looseObject({ type: z.string(), code: z.string(), instance: z.string() });

function bodyErrors(answer: Exchange['answer'], validate: (body: unknown) => string[]): string[] {
  const body = jsonOf(answer.body);
  if (body === undefined) return ['the body is no JSON'];
  const errors = validate(body.value);
  const problem = answer.status < 400 ? undefined : anyProblem.safeParse(body.value).data;
  if (problem === undefined) return errors;
  const type = `/problems/${problem.code.toLowerCase().replaceAll('_', '-')}`;
  if (problem.type !== type) errors.push(`type ${problem.type} instead of ${type}`);
  const instance = `urn:lethe:request:${answer.headers['x-request-id']}`;
  if (problem.instance !== instance) errors.push(`instance ${problem.instance} instead of ${instance}`);
  return errors;
}

function jsonOf(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function requestErrors(api: OpenAPIBackend, operation: Operation, request: Exchange['request']): string[] {
  const { method, path, headers, body } = request;
  const seen = { method, path, headers: { ...headers }, ...(body === '' ? {} : { body }) };
  return textOf(api.validateRequest(seen, operation).errors).map((text) => `accepted, but ${text}`);
}
