import type { Request, RequestHandler, Response } from 'express';
import type { RateLimit } from '../domain/rate-limit.ts';
import { authorize } from './api-key.ts';
import { parseQuery } from './field-errors.ts';
import { idempotencyKeyOf } from './idempotency-key.ts';
import { HttpProblem } from './problem.ts';
import { emptyQuerySchema } from './query-schemas.ts';
import { noteForLog } from './request-log.ts';
import { sendStream } from './send-stream.ts';
import type { Answers, Call, Exchange, Reply, Route, RouteContext } from './route.ts';

/** What a route is served with. */
export interface Service {
  readonly context: RouteContext;
  /** Of each API key that has none of its own. */
  readonly rateLimit: RateLimit;
}

/** Serves a route exactly as it is declared: key, then query, path, headers and body, each by its schema. */
export function serveRoute(route: Route, service: Service): RequestHandler {
  return async (req, res) => {
    noteForLog(req, { route: route.path });
    await send({ req, res }, route, await replyTo(route, { req, res }, service));
  };
}

async function replyTo(route: Route, exchange: Exchange, service: Service): Promise<Reply<Answers>> {
  const { context, rateLimit } = service;
  if (route.scope === null) return route.handle({ ...context, ...(await read(route, exchange)) });
  const apiKey = await authorize({ deps: context.deps, rateLimit }, exchange, route.scope);
  return route.handle({ ...context, ...(await read(route, exchange)), apiKey, apiKeyId: apiKey.id });
}

type Input = Omit<Call<unknown, unknown, unknown>, keyof RouteContext>;

async function read(route: Route, { req, res }: Exchange): Promise<Input> {
  return {
    query: queryOf(route, req),
    params: paramsOf(route, req),
    idempotencyKey: route.takesIdempotencyKey ? idempotencyKeyOf(req) : undefined,
    body: await route.body?.read(req, res),
    preferred: (mediaTypes) => {
      const best = req.accepts([...mediaTypes]);
      return mediaTypes.find((mediaType) => mediaType === best) ?? mediaTypes[0];
    },
    found: (value) => {
      if (value === undefined) throw absent(route);
      return value;
    },
  };
}

/** Probes are called with parameters of all kinds, to get past caches; a slip in another query must not go unseen. */
function queryOf({ query, scope }: Route, req: Request): unknown {
  if (query === undefined && scope === null) return undefined;
  return parseQuery(query ?? emptyQuerySchema, req.query);
}

/** What cannot be an id of ours names nothing, and is not even looked for. */
function paramsOf(route: Route, req: Request): unknown {
  const parsed = route.params?.schema.safeParse(req.params);
  if (parsed?.success === false) throw absent(route);
  return parsed?.data;
}

function absent({ params, path }: Route): Error {
  return params === undefined
    ? new TypeError(`${path} has nothing in it that could be absent`)
    : new HttpProblem(params.problem, params.absent);
}

async function send({ req, res }: Exchange, { answers }: Route, reply: Reply<Answers>): Promise<void> {
  const firstType = Object.keys(answers[reply.status]?.content ?? {})[0] ?? '';
  if ('stream' in reply) {
    await sendStreamed({ req, res }, reply, firstType);
    return;
  }
  head(res, reply);
  if ('json' in reply) {
    res.type('application/json').send(reply.json);
    return;
  }
  const mediaType = reply.mediaType ?? firstType;
  res.type(mediaType).send(mediaType === 'application/json' ? JSON.stringify(reply.body) : reply.body);
}

async function sendStreamed(
  { req, res }: Exchange,
  reply: Extract<Reply<Answers>, { stream: unknown }>,
  firstType: string,
): Promise<void> {
  // What it throws before anything is sent is a problem like any other.
  const stream = req.method === 'HEAD' ? undefined : await reply.stream();
  head(res, reply).type(reply.mediaType ?? firstType);
  if (stream === undefined) res.end();
  else await sendStream(res, stream);
}

function head(res: Response, { status, headers = {} }: Pick<Reply<Answers>, 'status' | 'headers'>): Response {
  return res.status(status).set(headers);
}
