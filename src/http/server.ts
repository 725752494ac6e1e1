import http from 'node:http';
import type { Express } from 'express';
import { limitBodyTime } from './body-time.ts';

export interface HttpServerOptions {
  readonly app: Express;
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
}

export interface RunningHttpServer {
  readonly port: number;
  /**
   * Stops accepting, lets requests in flight finish, and cuts what is left after `graceMs`. Resolves once every
   * connection is closed.
   */
  stop(graceMs: number): Promise<void>;
}

/** A slow or silent caller may not hold a connection: times for the headers and between two requests. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the 60 s of common load balancers, so that not we but they close a connection they may still use. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** Starts to listen. Rejects with Node's error (EADDRINUSE, EACCES) when it cannot. */
export async function startHttpServer({ app, host, port }: HttpServerOptions): Promise<RunningHttpServer> {
  const server = http.createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      // Each body has its own: limitBodyTime.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    app,
  );
  let stopping: Promise<void> | undefined;
  const unsent = new Set<http.ServerResponse>();
  server.prependListener('request', (req, res) => {
    limitBodyTime(req);
    unsent.add(res);
    if (stopping) res.shouldKeepAlive = false;
    res.once('close', () => {
      unsent.delete(res);
      // Its connection counts as idle only after this event has been dealt with.
      if (stopping) {
        setImmediate(() => {
          server.closeIdleConnections();
        });
      }
    });
  });
  // Node counts a connection as idle, and cuts it on close, once its answer was written, sent out or not.
  const closeIdleConnections = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {
    if (unsent.size === 0) closeIdleConnections();
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: portOf(server),
    stop: (graceMs) => (stopping ??= stop(server, graceMs)),
  };
}

async function stop(server: http.Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const timer = setTimeout(() => {
    server.closeAllConnections();
  }, graceMs);
  await closed;
  clearTimeout(timer);
}

function portOf(server: http.Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}
