import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Deps } from '../app/ports.ts';
import type { RateLimit } from '../domain/rate-limit.ts';
import { openApiDocument } from './openapi-document.ts';
import { problemOf } from './problem-of.ts';
import { problemDetails } from './problem-details.ts';
import { HttpProblem, PROBLEMS } from './problem.ts';
import type { Readiness } from './readiness.ts';
import { createRequestLog, loggable, noteForLog, requestIdOf } from './request-log.ts';
import { ROUTES } from './routes.ts';
import { serveRoute } from './serve-route.ts';

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

/** The API of ROUTES, as docs/openapi.yaml describes it. Answers every failure with RFC 9457 problem details. */
export function createHttpApp(options: HttpAppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  // Answers tell of people's requests, so none is kept by a cache or compared by one.
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.set('trust proxy', options.trustProxy);
  app.use(createRequestLog(options.logger), secureHeaders(), (_req, res, next) => {
    res.setHeader('Cache-Control', 'no-store');
    next();
  });
  const { deps, readiness, rateLimit } = options;
  const context = { deps, readiness, openApiDocument: documentOnce() };
  for (const route of ROUTES) app[route.method](route.path, serveRoute(route, { context, rateLimit }));
  for (const path of new Set(ROUTES.map((route) => route.path))) app.all(path, refuseMethod(path));
  app.use(() => {
    throw new HttpProblem('ROUTE_NOT_FOUND', 'The API has no such path; /openapi.json lists all.');
  });
  app.use(answerProblem);
  return app;
}

/** Made when somebody asks for it, and then kept: most processes never show it. */
function documentOnce(): () => string {
  let text: string | undefined;
  return () => (text ??= JSON.stringify(openApiDocument(ROUTES)));
}

/** Helmet's own, but for one: /docs must also work where nobody has put TLS before it. */
function secureHeaders(): RequestHandler {
  return helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } });
}

function refuseMethod(path: string): RequestHandler {
  const methods = ROUTES.filter((route) => route.path === path)
    .flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : ['POST']))
    .join(', ');
  return (req) => {
    noteForLog(req, { route: path });
    throw new HttpProblem('METHOD_NOT_ALLOWED', `Here is offered: ${methods}.`, {
      headers: { Allow: methods },
    });
  };
}

// eslint-disable-next-line max-params -- Express knows an error handler by its four parameters
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
