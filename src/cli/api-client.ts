import type { ReadableStream } from 'node:stream/web';
import { z } from 'zod';
import type { ApiAddress } from './api-address.ts';
import { CommandError, commandError, EXIT, type ExitStatus } from './exit-status.ts';
import type { Io } from './io.ts';

const ANSWER_TIMEOUT_MS = 60_000;

/** One call of Lethe's API. */
export interface ApiCall {
  readonly method: 'GET' | 'POST';
  /** From `/v1` on, its parts encoded. */
  readonly path: string;
  /** What is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: object;
  /** Sent as it comes, instead of a body. */
  readonly upload?: { readonly type: string; readonly stream: ReadableStream };
  readonly idempotencyKey?: string | undefined;
}

/** Lethe's API as its clients see it: over HTTP, with an API key. */
export interface ApiClient {
  /**
   * The JSON of a success.
   *
   * @throws CommandError with the code of the API's problem, or API_UNAVAILABLE, or COMMAND_INTERRUPTED
   */
  ask(call: ApiCall): Promise<unknown>;
  /**
   * The bytes of a success, as they come; one that breaks off throws.
   *
   * @throws as `ask`
   */
  download(call: Pick<ApiCall, 'path' | 'query'>): AsyncIterable<Uint8Array>;
}

export function createApiClient({ url, key }: ApiAddress, io: Io): ApiClient {
  return {
    ask: async (call) => {
      const { status, text } = await exchange({ url, key, io }, call);
      const json = jsonOf(text);
      if (status >= 200 && status < 300 && json !== undefined) return json.value;
      throw failureOf({ status, json: json?.value, origin: new URL(url).origin });
    },
    download: (call) => downloaded({ url, key, io }, { method: 'GET', ...call }),
  };
}

async function* downloaded(route: Route, call: ApiCall): AsyncGenerator<Uint8Array, void, undefined> {
  const response = await reached(route, () => send(route, call, [route.io.interrupted]));
  if (response.status !== 200 || response.body === null) {
    const json = jsonOf(await reached(route, () => response.text()))?.value;
    throw failureOf({ status: response.status, json, origin: new URL(route.url).origin });
  }
  const reader = response.body.getReader();
  for (;;) {
    const read = await reached<{ done: boolean; value?: Uint8Array }>(route, () => reader.read());
    if (read.value === undefined) return;
    yield read.value;
  }
}

interface Route extends ApiAddress {
  readonly io: Io;
}

async function exchange(route: Route, call: ApiCall): Promise<{ status: number; text: string }> {
  // An upload takes as long as it takes; the API itself ends one that stands still.
  const patience = call.upload === undefined ? [AbortSignal.timeout(ANSWER_TIMEOUT_MS)] : [];
  return reached(route, async () => {
    const response = await send(route, call, [route.io.interrupted, ...patience]);
    return { status: response.status, text: await response.text() };
  });
}

function send(route: Route, call: ApiCall, until: AbortSignal[]): Promise<Response> {
  return fetch(targetOf(route, call), {
    method: call.method,
    headers: headersOf(route, call),
    // Nothing of ours redirects, and a key is not for whoever something redirects to.
    redirect: 'manual',
    signal: AbortSignal.any(until),
    ...bodyOf(call),
  });
}

async function reached<T>(route: Route, use: () => Promise<T>): Promise<T> {
  const { io } = route;
  try {
    return await use();
  } catch (error) {
    if (io.interrupted.aborted) throw commandError('COMMAND_INTERRUPTED', 'interrupted', error);
    const { origin } = new URL(route.url);
    throw commandError('API_UNAVAILABLE', `Lethe does not answer at ${origin}${reasonOf(error)}.`, error);
  }
}

function targetOf({ url }: Route, { path, query = {} }: ApiCall): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const search = new URLSearchParams(given).toString();
  return `${url}${path}${search === '' ? '' : `?${search}`}`;
}

function headersOf({ key }: Route, { body, upload, idempotencyKey }: ApiCall): Headers {
  const headers = new Headers({ authorization: `Bearer ${key}`, accept: 'application/json' });
  if (body !== undefined) headers.set('content-type', 'application/json');
  if (upload !== undefined) headers.set('content-type', upload.type);
  if (idempotencyKey !== undefined) headers.set('idempotency-key', idempotencyKey);
  return headers;
}

function bodyOf({ body, upload }: ApiCall): Pick<RequestInit, 'body' | 'duplex'> {
  if (upload !== undefined) return { body: upload.stream, duplex: 'half' };
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

const withCause = z.object({ cause: z.object({ code: z.string() }) });
const named = z.object({ name: z.literal('TimeoutError') });

/** `fetch failed` says nothing; what lies beneath has a code. */
function reasonOf(error: unknown): string {
  if (named.safeParse(error).success) return ` within ${ANSWER_TIMEOUT_MS / 1000} s`;
  const read = withCause.safeParse(error);
  return read.success ? ` (${read.data.cause.code})` : '';
}

function jsonOf(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

const problem = z.object({
  code: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
  title: z.string(),
  detail: z.string().default(''),
  errors: z
    .array(z.object({ pointer: z.string().optional(), parameter: z.string().optional(), detail: z.string() }))
    .default([]),
});

function failureOf(answer: { status: number; json: unknown; origin: string }): CommandError {
  const { status, json, origin } = answer;
  const read = problem.safeParse(json);
  if (!read.success) {
    const message = `What answers at ${origin} is not Lethe's API (status ${status}): look at --url or LETHE_URL.`;
    return commandError('API_UNAVAILABLE', message);
  }
  const { code, title, detail, errors } = read.data;
  if (code === 'ROUTE_NOT_FOUND' || code === 'METHOD_NOT_ALLOWED') {
    return commandError(
      'API_UNAVAILABLE',
      `The Lethe at ${origin} is of a version that does not offer this.`,
    );
  }
  return new CommandError(code, `${title}. ${detail}`.trim(), {
    status: exitStatusOf(status),
    details: errors.map((error) => `${error.pointer ?? error.parameter ?? ''}: ${error.detail}`),
  });
}

function exitStatusOf(status: number): ExitStatus {
  if (status === 401 || status === 403) return EXIT.notPermitted;
  if (status === 404) return EXIT.notFound;
  return status === 429 || status >= 500 ? EXIT.unavailable : EXIT.failed;
}

/** What the API answered, where a command has to understand it. */
export function understood<T>(schema: z.ZodType<T>, answer: unknown): T {
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw commandError(
    'API_UNAVAILABLE',
    'Lethe gave an answer that this version of the command does not know.',
  );
}
