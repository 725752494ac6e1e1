import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Scope } from '../app/authenticate.ts';
import type { Deps } from '../app/ports.ts';
import type { ApiKey } from '../app/ports/keys.ts';
import type { ProblemCode } from './problem.ts';
import type { Readiness } from './readiness.ts';
import type { AnswerStream } from './send-stream.ts';

/** What a route concerns, with a sentence for the reader of the OpenAPI document. */
export const TAGS = {
  'erasure requests': 'Taking erasure requests in, following them and cancelling them.',
  imports: 'Many requests at once, from a file.',
  ticketing: 'What ticketing systems deliver, and what could not be read of it.',
  decisions:
    'What people decide about a request. Each decision is kept with who took it, when and in what words.',
  'legal holds': 'Standing holds by subject: nothing of a held subject is deleted.',
  deadlines: 'What is due, and when it can be expected to be done.',
  reports: 'What came in and what became of it, for those who answer for it.',
  connections: 'The OpenReplay servers, and the stop button of each.',
  callbacks: 'Whom events are sent to, signed, and what became of each delivery.',
  'API keys': 'Making keys, ending them and giving them new tokens, and what was done to them.',
  service: 'What the service says of itself. Needs no API key.',
} as const;

/** What the handlers of routes are given of the world. */
export interface RouteContext {
  readonly deps: Deps;
  readonly readiness: () => Promise<Readiness>;
  /** The OpenAPI document as JSON text. */
  readonly openApiDocument: () => string;
}

export interface Exchange {
  readonly req: Request;
  readonly res: Response;
}

/** The names in the path, such as `id`; and the problem when there is nothing under them, with its `detail`. */
export interface PathParameters<P> {
  readonly schema: z.ZodType<P>;
  readonly problem: ProblemCode;
  readonly absent: string;
}

/** How a route takes its body: see jsonBody. */
export interface Body<B> {
  readonly required: boolean;
  readonly description?: string;
  /** By media type. */
  readonly content: Readonly<Record<string, z.ZodType>>;
  /** Every problem that `read` throws. */
  readonly problems: readonly ProblemCode[];
  read(req: Request, res: Response): Promise<B>;
}

export interface Answer {
  readonly description: string;
  /** By media type; the first is what is sent where the handler names none. */
  readonly content: Readonly<Record<string, z.ZodType>>;
  /** Headers beside those that every answer, and every answer to a key, has. */
  readonly headers?: Readonly<Record<string, z.ZodType>>;
}
/** By status; problems apart. */
export type Answers = Readonly<Record<number, Answer>>;

/** What a handler returns: one of the answers that its route declares. */
export type Reply<A extends Answers> = {
  [S in keyof A & number]: ReplyOf<S, A[S]['content']>;
}[keyof A & number];
type ReplyOf<S, C extends Answer['content']> = {
  readonly status: S;
  readonly headers?: Readonly<Record<string, string>>;
} & (
  | { readonly body: z.input<C[keyof C]>; readonly mediaType?: keyof C & string }
  /** JSON that is text already, so that what is stored canonically is sent byte for byte. */
  | { readonly json: string }
  /** Begun only when it is to be sent: a HEAD gets the head alone. */
  | { readonly stream: () => Promise<AnswerStream>; readonly mediaType?: keyof C & string }
);

/** A call as the handler gets it: every part is what the route's schemas made of it. */
export interface Call<P, Q, B> extends RouteContext {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Undefined where none came, or the route takes none. */
  readonly idempotencyKey: string | undefined;
  /** Which of these media types the caller would rather have (`Accept`); the first where all or none will do. */
  readonly preferred: <T extends string>(mediaTypes: readonly [T, ...T[]]) => T;
  /** What was found. Throws the problem of the path parameters when nothing was. */
  readonly found: <T>(value: T | undefined) => T;
}

/** A call that came with an API key. */
export interface KeyedCall<P, Q, B> extends Call<P, Q, B> {
  readonly apiKey: ApiKey;
  /** That of `apiKey`. */
  readonly apiKeyId: string;
}

interface Declaration<P, Q, B, A extends Answers> {
  readonly method: 'get' | 'post';
  /** As Express writes it: `/v1/erasure-requests/:id`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  readonly params?: PathParameters<P>;
  /** Left out, there are no query parameters, and one that comes is refused. */
  readonly query?: z.ZodType<Q>;
  readonly body?: Body<B>;
  readonly takesIdempotencyKey?: true;
  readonly answers: A;
  /** What the use case throws. Those of API key, path, query, body and database are known without being named. */
  readonly problems?: readonly ProblemCode[];
}

/** A route that anybody may call. */
export interface PublicRoute<
  P = unknown,
  Q = unknown,
  B = unknown,
  A extends Answers = Answers,
> extends Declaration<P, Q, B, A> {
  readonly scope: null;
  handle(call: Call<P, Q, B>): Promise<Reply<NoInfer<A>>> | Reply<NoInfer<A>>;
}

/** A route that needs an API key with a scope. */
export interface KeyedRoute<
  P = unknown,
  Q = unknown,
  B = unknown,
  A extends Answers = Answers,
> extends Declaration<P, Q, B, A> {
  readonly scope: Scope;
  handle(call: KeyedCall<P, Q, B>): Promise<Reply<NoInfer<A>>>;
}

export type Route = PublicRoute | KeyedRoute;

/**
 * Holds a handler to what its route declares. Outside of it the types are forgotten: serveRoute makes the call from
 * the declaration itself.
 */
export function publicRoute<P, Q, B, A extends Answers>(route: PublicRoute<P, Q, B, A>): Route {
  return route;
}

/** As publicRoute, for a route that needs an API key. */
export function keyedRoute<P, Q, B, A extends Answers>(route: KeyedRoute<P, Q, B, A>): Route {
  return route;
}

/** An answer of JSON that fits the schema. */
export function jsonAnswer<S extends z.ZodType>(
  description: string,
  schema: S,
  headers: Readonly<Record<string, z.ZodType>> = {},
) {
  return { description, content: { 'application/json': schema }, headers } satisfies Answer;
}
