import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { pinoHttp, startTime, type HttpLogger } from 'pino-http';
import { LetheError } from '../domain/errors.ts';

/** What the log says of a request besides its method: nothing that the caller wrote. */
interface Facts {
  /** The pattern, as `/v1/erasure-requests/:id`. */
  readonly route?: string;
  readonly apiKeyId?: string;
}

const facts = new WeakMap<IncomingMessage, Facts>();

/** Notes something for the request's log line. */
export function noteForLog(req: IncomingMessage, more: Facts): void {
  facts.set(req, { ...facts.get(req), ...more });
}

const SANE_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** Where anybody may call, only what cannot be a name: a UUID or the trace id of a proxy. */
const FROM_ANYBODY = /^\/webhooks\//i;
const HEX_ID = /^[0-9a-f-]{16,64}$/i;

/** The id under which the request stands in the log and in problems. */
export function requestIdOf(req: IncomingMessage): string {
  return typeof req.id === 'string' ? req.id : '';
}

/**
 * Gives each request an id (a sane X-Request-Id of the caller's, else a new one; sent back) and logs it once it is
 * answered: method, route pattern, status, duration, key. Headers, bodies, URLs and query values are never logged.
 */
export function createRequestLog(logger: Logger): HttpLogger {
  return pinoHttp({
    logger,
    genReqId: identify,
    quietReqLogger: true,
    quietResLogger: true,
    // Whoever logs a request or an answer whole gets no more of it than this.
    serializers: { req: () => undefined, res: () => undefined },
    customLogLevel: levelOf,
    customSuccessMessage: () => 'request answered',
    customErrorMessage: () => 'request failed',
    customSuccessObject: lineOf,
    // The error that pino-http would add says no more than the status.
    customErrorObject: lineOf,
  });
}

function identify(req: IncomingMessage, res: ServerResponse): string {
  const given = req.headers['x-request-id'];
  const sane = FROM_ANYBODY.test(req.url ?? '') ? HEX_ID : SANE_ID;
  const id = typeof given === 'string' && sane.test(given) ? given : randomUUID();
  res.setHeader('X-Request-Id', id);
  return id;
}

/** Probes come every few seconds, and deliveries by the thousand; both are worth a line only when they are not well. */
function levelOf(req: IncomingMessage, res: ServerResponse): 'debug' | 'info' | 'warn' | 'error' {
  if (res.statusCode === 503) return 'warn';
  if (res.statusCode >= 500) return 'error';
  const route = facts.get(req)?.route;
  return isQuiet(route, res.statusCode) ? 'debug' : 'info';
}

function isQuiet(route: string | undefined, status: number): boolean {
  return route === '/healthz' || route === '/readyz' || (route === '/webhooks/:source' && status === 202);
}

function lineOf(req: IncomingMessage, res: ServerResponse): object {
  const { route = null, apiKeyId } = facts.get(req) ?? {};
  return {
    method: req.method,
    route,
    status: res.statusCode,
    durationMs: Date.now() - res[startTime],
    ...(apiKeyId !== undefined && { apiKeyId }),
    // The caller went away before it had its answer.
    ...(!res.writableFinished && { aborted: true }),
  };
}

/**
 * An unforeseen error for the log: its type, code and where it arose, and those of its causes. Only messages of our
 * own errors are written, since others may quote a value.
 */
export function loggable(error: unknown, depth = 0): object | undefined {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    type: error.name,
    code,
    ...(error instanceof LetheError && { message: error.message }),
    frames: framesOf(error),
    ...(error.cause !== undefined && depth < 3 && { cause: loggable(error.cause, depth + 1) }),
  };
}

/** The stack without the message that stands at its head. */
function framesOf({ stack = '', message }: Error): string[] {
  const head = stack.indexOf(message);
  const frames = stack.slice(head === -1 ? 0 : head + message.length).split('\n');
  return frames.filter((line) => line.startsWith('    at ')).map((line) => line.trim());
}
