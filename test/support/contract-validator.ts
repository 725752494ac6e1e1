import { readFile } from 'node:fs/promises';
import type { OpenAPIBackend, Operation } from 'openapi-backend';
import { parse } from 'yaml';
import { z } from 'zod';
import { definitionOf, importOpenApiBackend, textOf } from './openapi-backend.ts';

const CONTRACT = new URL('../contract/openreplay.openapi.yaml', import.meta.url);

/** A request as a server saw it: `path` is the raw request target, query included. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the body as text; empty when there was none. */
  readonly body: string;
}

export interface Contract {
  /** Every operationId of the file. */
  readonly operationIds: readonly string[];
  /**
   * Finds the operation that a request means and checks it: target, path and query parameters, headers, body.
   * Empty `errors` means that it obeys the contract; `operationId` is undefined when the contract knows none.
   */
  validateRequest(request: SeenRequest): { operationId: string | undefined; errors: string[] };
  /** Checks an answer, `body` being its parsed JSON. A status that the operation does not name is an error. */
  validateResponse(operationId: string, status: number, body: unknown): string[];
}

/**
 * Loads the contract into openapi-backend, a validator that is not ours. The validator leaves three things open,
 * which are checked beside it: the authorization header, the content type, and a body where none is foreseen.
 */
export async function loadContract(): Promise<Contract> {
  const { OpenAPIBackend } = await importOpenApiBackend();
  const document = contractDocument.parse(parse(await readFile(CONTRACT, 'utf8')));
  const basePaths = document.servers.map(({ url }) => new URL(url.replace(/\{\w+\}/g, 'instance')).pathname);
  // `strict` checks the document itself when it starts.
  const api = new OpenAPIBackend({
    definition: definitionOf(strictCopyOf(document)),
    strict: true,
    validate: true,
    ignoreTrailingSlashes: false,
  });
  await api.init();
  return {
    operationIds: api.getOperations().map((operation) => operation.operationId ?? ''),
    validateRequest: (request) => validateRequest(api, basePaths, request),
    validateResponse: (operationId, status, body) => validateResponse(api, operationId, { status, body }),
  };
}

const contractDocument = z.looseObject({
  servers: z.array(z.looseObject({ url: z.string() })),
  components: z.looseObject({ schemas: z.record(z.string(), z.looseObject({})) }),
});
type ContractDocument = z.output<typeof contractDocument>;

/** The file allows any further field in a body; one that it does not name is a mistake of ours all the same. */
function strictCopyOf(document: ContractDocument): ContractDocument {
  const schemas = Object.fromEntries(
    Object.entries(document.components.schemas).map(([name, schema]) => [
      name,
      name.endsWith('Request') ? { ...schema, additionalProperties: false } : schema,
    ]),
  );
  // The list of tags is prose, and an unquoted comma in it makes it invalid OpenAPI; the file is kept as it was given.
  return { ...document, tags: [], components: { ...document.components, schemas } };
}

function validateRequest(api: OpenAPIBackend, basePaths: readonly string[], seen: SeenRequest) {
  const basePath = basePaths.find((base) => seen.path.startsWith(`${base}/`));
  if (basePath === undefined) return { operationId: undefined, errors: ['no server of the contract'] };
  const { body } = seen;
  const request = {
    method: seen.method,
    path: seen.path.slice(basePath.length),
    headers: { ...seen.headers },
    ...(body === '' ? {} : { body }),
  };
  const operation = api.matchOperation(request);
  if (operation === undefined) return { operationId: undefined, errors: ['no operation of the contract'] };
  const { errors } = api.validateRequest(request, operation);
  return { operationId: operation.operationId, errors: [...textOf(errors), ...looseEnds(operation, seen)] };
}

function looseEnds(operation: Operation, { headers, body }: SeenRequest): string[] {
  const errors: string[] = [];
  if (!/^Bearer \S+$/.test(headers['authorization'] ?? '')) errors.push('authorization: no bearer token');
  const hasBody = operation.requestBody !== undefined;
  if (!hasBody && body !== '') errors.push('requestBody: none is foreseen');
  const contentType = headers['content-type'];
  if (contentType !== (hasBody ? 'application/json' : undefined)) errors.push(`content-type: ${contentType}`);
  return errors;
}

function validateResponse(
  api: OpenAPIBackend,
  operationId: string,
  { status, body }: { status: number; body: unknown },
): string[] {
  const operation = api.getOperation(operationId);
  if (operation === undefined) return [`no operation ${operationId} in the contract`];
  if (!Object.hasOwn(operation.responses ?? {}, String(status)))
    return [`status ${status} is not in the contract`];
  return textOf(api.validateResponse(body, operation, status).errors);
}
