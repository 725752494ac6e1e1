/** A Redis of a test's own, to be killed and brought back. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it in order (SIGTERM), and waits. */
  readonly stop: () => Promise<void>;
  /** Ends it at once (SIGKILL), and waits. */
  readonly kill: () => Promise<void>;
}

/** The Redis (or Valkey) on PATH, undefined when there is none. */
export function findRedisProgram(): string | undefined;

/**
 * Starts a Redis as production runs it (append-only file, no eviction) on 127.0.0.1, and waits until it answers.
 * `port` when a killed one is to come back where it was; data of an earlier one in `directory` is loaded.
 */
export function startRedisServer(options: {
  readonly directory: string;
  readonly port?: number;
}): Promise<RedisServer>;
