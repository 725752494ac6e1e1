import { z } from 'zod';
import type { ZodOpenApiResponseObject } from 'zod-openapi';
import { problemDetails, problemSchema, type ProblemDetails } from './problem-details.ts';
import { HttpProblem, PROBLEMS, type FieldError, type ProblemCode } from './problem.ts';
import { quotaHeaders } from './rate-limit-headers.ts';
import type { Route } from './route.ts';

export const requestIdHeader = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/)
  .meta({ description: 'Names this exchange in the log and in problems.', header: { id: 'RequestId' } });

/** Headers that come with every problem of a status. */
const HEADERS: Readonly<Record<number, Readonly<Record<string, z.ZodType>>>> = {
  401: { 'WWW-Authenticate': z.string().regex(/^(Bearer|Signature) realm="lethe"/) },
  403: { 'WWW-Authenticate': z.string().regex(/error="insufficient_scope"/) },
  405: { Allow: z.string() },
  429: {
    'Retry-After': z
      .string()
      .regex(/^[1-9][0-9]*$/)
      .meta({ description: 'Seconds.' }),
    ...quotaHeaders,
  },
  503: {
    'Retry-After': z
      .string()
      .regex(/^[0-9]+$/)
      .meta({ description: 'Seconds.' }),
  },
};

/** What examples name, of the problems that name fields. */
const FIELDS: Partial<Record<ProblemCode, readonly FieldError[]>> = {
  COMMAND_INVALID: [{ pointer: '/force', detail: 'this field is not known; expected no such field' }],
  QUERY_INVALID: [{ parameter: 'limit', detail: 'expected a whole number from 1 to 200' }],
  SUBMISSION_INVALID: [{ pointer: '/subject/userId', detail: 'expected the id set with tracker.setUserID' }],
};

/** By their codes: the library wants the same component to be the same object. */
const made = new Map<string, ZodOpenApiResponseObject>();

/** The answers of a route that are problems, by status. */
export function problemAnswers(route: Route): Record<string, ZodOpenApiResponseObject> {
  const codes = problemsOf(route);
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code].status))];
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      problemAnswer(codes.filter((code) => PROBLEMS[code].status === status)),
    ]),
  );
}

/** The answer for problems of one status, as a component that is named after them. */
export function problemAnswer(codes: readonly ProblemCode[]): ZodOpenApiResponseObject {
  const sorted = [...new Set(codes)].toSorted();
  const id = sorted.map(wordsTogether).join('Or');
  const known = made.get(id);
  if (known !== undefined) return known;
  const answer = newAnswer(id, sorted);
  made.set(id, answer);
  return answer;
}

function newAnswer(id: string, codes: readonly ProblemCode[]): ZodOpenApiResponseObject {
  const statuses = new Set(codes.map((code) => PROBLEMS[code].status));
  const [status = 0] = statuses;
  const narrowed = z.looseObject({ status: z.literal([...statuses]), code: z.enum(codes) });
  return {
    id,
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    headers: z.object({ 'X-Request-Id': requestIdHeader, ...HEADERS[status] }),
    content: {
      'application/problem+json': {
        schema: problemSchema.and(narrowed),
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  };
}

/** With the fields named where the answer would name them. */
function exampleOf(code: ProblemCode): ProblemDetails {
  const problem = new HttpProblem(code, `${PROBLEMS[code].title}.`, { errors: FIELDS[code] ?? [] });
  return problemDetails(problem, '0d7d4c1e-6a3f-4f0e-9c52-6c0c5f6f2f11');
}

/** Of every route that needs an API key. */
const KEYED: readonly ProblemCode[] = [
  'API_KEY_MISSING',
  'API_KEY_REFUSED',
  'SCOPE_MISSING',
  'RATE_LIMITED',
  'STORE_UNAVAILABLE',
];

/** What the parts of the route can refuse, and what its use case throws. */
function problemsOf(route: Route): ProblemCode[] {
  const { params, body, scope, problems = [] } = route;
  return [
    ...(scope === null ? [] : KEYED),
    ...(scope === null && route.query === undefined ? [] : (['QUERY_INVALID'] as const)),
    // The router cannot decode a path that is not well-formed.
    ...(params === undefined ? [] : [params.problem, 'ROUTE_NOT_FOUND' as const]),
    ...(route.takesIdempotencyKey ? (['IDEMPOTENCY_KEY_INVALID', 'IDEMPOTENCY_KEY_REUSED'] as const) : []),
    ...(body?.problems ?? []),
    ...problems,
    'INTERNAL',
  ];
}

function wordsTogether(code: ProblemCode): string {
  return code
    .split('_')
    .map((word) => `${word[0] ?? ''}${word.slice(1).toLowerCase()}`)
    .join('');
}
