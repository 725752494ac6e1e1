import type { IncomingMessage } from 'node:http';

/** A slow or silent caller may not hold a connection: its whole body has to come in this time. */
const BODY_TIMEOUT_MS = 30_000;

const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/**
 * Gives a body, or what is left of it, its time, after which the connection is cut. In place of node's requestTimeout,
 * which is the same for every request of a server.
 */
export function limitBodyTime(req: IncomingMessage, timeoutMs = BODY_TIMEOUT_MS): void {
  liftBodyTime(req);
  if (req.complete) return;
  const timer = setTimeout(() => {
    // A body that is there and not yet read is the handler's business.
    if (!req.complete) req.destroy();
  }, timeoutMs).unref();
  timers.set(req, timer);
  const clear = () => {
    clearTimeout(timer);
  };
  req.once('end', clear).once('close', clear);
}

/** For a body that may take as long as it moves on; whoever reads it sees to that. */
export function liftBodyTime(req: IncomingMessage): void {
  clearTimeout(timers.get(req));
}
