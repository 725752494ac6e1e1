import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { z } from 'zod';
import type { Call, World } from './operation.ts';
import { OPERATION_IDS, type OperationId } from './options.ts';
import { writeAnswer } from './write-answer.ts';

/** Takes one call from its arrival to its answer (see serve-call.ts). */
export type ServeCall = (call: Call, request: Request, response: Response) => Promise<void>;

type Method = 'get' | 'post' | 'delete';
const ROUTES: Readonly<Record<OperationId, readonly [Method, string]>> = {
  listProjects: ['get', '/public/projects'],
  createProject: ['post', '/public/projects'],
  getProject: ['get', '/public/projects/:projectKey'],
  searchUsers: ['post', '/public/:projectKey/users'],
  getUser: ['get', '/public/:projectKey/users/:userId'],
  deleteUser: ['delete', '/public/:projectKey/users/:userId'],
  listUserSessions: ['post', '/public/:projectKey/users/:userId/sessions'],
  listSessionEvents: ['post', '/public/:projectKey/sessions/:sessionId/events'],
  listJobs: ['get', '/public/:projectKey/jobs'],
  getJob: ['get', '/public/:projectKey/jobs/:jobId'],
  cancelJob: ['delete', '/public/:projectKey/jobs/:jobId'],
  listLiveSessions: ['get', '/public/:projectKey/assist/sessions'],
  searchLiveSessions: ['post', '/public/:projectKey/assist/sessions'],
};
/** Larger bodies get 413. */
const BODY_LIMIT_BYTES = 128 * 1024;

/**
 * The HTTP side: 13 routes below each base path. A path is matched as it was sent (neither dots nor case are folded),
 * and each of its parts is decoded exactly once, so that an id addresses itself and nothing else.
 */
export function createApp({ settings, shapes }: World, serve: ServeCall): Express {
  const app = express().disable('x-powered-by').disable('etag').enable('case sensitive routing');
  const router = express.Router({ caseSensitive: true, strict: true });
  const readBody = express.text({ type: () => true, limit: BODY_LIMIT_BYTES });
  for (const operationId of OPERATION_IDS) {
    const [method, path] = ROUTES[operationId];
    const answer: RequestHandler = (request, response) =>
      serve(readCall(operationId, request), request, response);
    router[method](path, readBody, answer);
  }
  for (const basePath of settings.basePaths) app.use(basePath, router);
  app.use((_request: Request, response: Response) => {
    writeAnswer(response, shapes.unknownRoute());
  });
  // eslint-disable-next-line max-params -- Express knows an error handler by its four parameters
  const answerProblem: ErrorRequestHandler = (problem: unknown, _request, response, _next) => {
    const { status, message } = httpProblem.parse(problem);
    writeAnswer(response, shapes.error(undefined, status, message));
  };
  app.use(answerProblem);
  return app;
}

/** What Express and its body reader throw: bodies too large (413), parts of a path that cannot be decoded (400). */
const httpProblem = z.object({ status: z.int().catch(500), message: z.string().catch('failed') }).catch({
  status: 500,
  message: 'failed',
});

function readCall(operationId: OperationId, request: Request): Call {
  const part = (name: string): string => {
    const value = request.params[name];
    return typeof value === 'string' ? value : '';
  };
  return {
    ...{ operationId, query: request.query, body: parseJson(request.body) },
    ...{
      projectKey: part('projectKey'),
      userId: part('userId'),
      sessionId: part('sessionId'),
      jobId: part('jobId'),
    },
  };
}

function parseJson(body: unknown): unknown {
  if (typeof body !== 'string') return undefined;
  try {
    const parsed: unknown = JSON.parse(body);
    return parsed;
  } catch {
    return undefined;
  }
}
