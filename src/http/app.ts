import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Deps } from '../app/ports.ts';
import type { RateLimit } from '../domain/rate-limit.ts';
import { authorize } from './api-key.ts';
import { readOpenApiDocument } from './openapi-document.ts';
import { problemOf } from './problem-of.ts';
import { HttpProblem, problemDetails, PROBLEMS } from './problem.ts';
import type { Readiness } from './readiness.ts';
import { createRequestLog, loggable, noteForLog, requestIdOf } from './request-log.ts';
import type { Route } from './route.ts';
import { cancelErasureRequest } from './routes/cancel-erasure-request.ts';
import { createKey } from './routes/create-api-key.ts';
import { listKeyEvents } from './routes/list-admin-events.ts';
import { listKeys } from './routes/list-api-keys.ts';
import { listErasureRequests } from './routes/list-erasure-requests.ts';
import { listRequestEvents } from './routes/list-request-events.ts';
import { revokeKey } from './routes/revoke-api-key.ts';
import { rotateKey } from './routes/rotate-api-key.ts';
import { showErasureRequest } from './routes/show-erasure-request.ts';
import { showHealth } from './routes/show-health.ts';
import { showOpenApiDocument } from './routes/show-openapi-document.ts';
import { showReadiness } from './routes/show-readiness.ts';
import { showRequestSubject } from './routes/show-request-subject.ts';
import { submitErasureRequest } from './routes/submit-erasure-request.ts';

export interface HttpAppOptions {
  readonly deps: Deps;
  /** Looks at every part. May fail or hang: the API then says that it is not ready. */
  readonly readiness: () => Promise<Readiness>;
  readonly logger: Logger;
  /** True only behind a reverse proxy that sets X-Forwarded-* itself. */
  readonly trustProxy: boolean;
  /** Of each API key that has none of its own. */
  readonly rateLimit: RateLimit;
}

/** The intake API as docs/openapi.yaml describes it. Answers every failure with RFC 9457 problem details. */
export function createHttpApp(options: HttpAppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  // Answers tell of people's requests, so none is kept by a cache or compared by one.
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.set('trust proxy', options.trustProxy);
  app.use(createRequestLog(options.logger), helmet(), (_req, res, next) => {
    res.setHeader('Cache-Control', 'no-store');
    next();
  });
  const routes = routesOf(options);
  for (const route of routes) app[route.method](route.path, handlerOf(options, route));
  for (const path of new Set(routes.map((route) => route.path))) app.all(path, refuseMethod(routes, path));
  app.use(() => {
    throw new HttpProblem('ROUTE_NOT_FOUND', 'The API has no such path; /v1/openapi.json lists all.');
  });
  app.use(answerProblem);
  return app;
}

function routesOf({ deps, readiness }: HttpAppOptions): readonly Route[] {
  return [
    submitErasureRequest(deps),
    listErasureRequests(deps),
    showErasureRequest(deps),
    listRequestEvents(deps),
    cancelErasureRequest(deps),
    showRequestSubject(deps),
    listKeys(deps),
    createKey(deps),
    revokeKey(deps),
    rotateKey(deps),
    listKeyEvents(deps),
    showHealth(),
    showReadiness(readiness),
    showOpenApiDocument(readOpenApiDocument()),
  ];
}

function handlerOf(options: HttpAppOptions, route: Route): RequestHandler {
  return async (req, res) => {
    noteForLog(req, { route: route.path });
    if (route.scope === null) {
      await route.handle({ req, res });
      return;
    }
    const apiKey = await authorize(options, { req, res }, route.scope);
    await route.handle({ req, res, apiKey, apiKeyId: apiKey.id });
  };
}

function refuseMethod(routes: readonly Route[], path: string): RequestHandler {
  const methods = routes
    .filter((route) => route.path === path)
    .flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : ['POST']))
    .join(', ');
  return (req) => {
    noteForLog(req, { route: path });
    throw new HttpProblem('METHOD_NOT_ALLOWED', `Here is offered: ${methods}.`, {
      headers: { Allow: methods },
    });
  };
}

// Express takes a function of four parameters for an error handler.
// eslint-disable-next-line max-params
const answerProblem: ErrorRequestHandler = (error: unknown, req, res, _next) => {
  const problem = problemOf(error);
  const { status } = PROBLEMS[problem.problem];
  if (status >= 500) req.log[status === 503 ? 'warn' : 'error']({ error: loggable(error) }, problem.code);
  if (res.headersSent) {
    // Half an answer must not look like a whole one.
    res.destroy();
    return;
  }
  const details = problemDetails(problem, requestIdOf(req));
  res.status(status).set(problem.headers).type('application/problem+json').send(JSON.stringify(details));
};
