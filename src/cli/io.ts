import type { Readable } from 'node:stream';

/** A stream that is written to, and perhaps a terminal. */
export type Sink = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** All that a command sees of the world, so that tests can call it inside their own process. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  /** Where relative paths start. */
  readonly cwd: string;
  readonly stdin: Readable;
  /** For what was asked: tables, or JSON. */
  readonly stdout: Sink;
  /** For everything else: progress, notes, errors. */
  readonly stderr: Sink;
  /** Epoch ms. */
  readonly now: () => number;
  /** Aborted when somebody wants the command to end. */
  readonly interrupted: AbortSignal;
}

/** The world of this process. The first SIGINT or SIGTERM asks the command to end, a second one ends the process. */
export function processIo(): Io {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // Whoever reads us may stop reading, as `head` does: that is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  return {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    now: Date.now,
    interrupted: controller.signal,
  };
}
