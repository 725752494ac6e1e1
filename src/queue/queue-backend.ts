import { createPostgresBackend, Queue, withBackend, Worker, type ConnectionOptions } from 'bullmq';
import { LetheError } from '../domain/errors.ts';
import { payload, type Payload } from './payload.ts';

/** Where BullMQ keeps what is due now: Redis in production, Postgres where there is no Redis. */
export type QueueOptions =
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string }
  | { readonly kind: 'postgres'; readonly connectionString: string };

/** The queue does not take jobs just now. Nothing is lost: what was not handed out is due again. Code QUEUE_UNAVAILABLE. */
export class QueueUnavailableError extends LetheError {
  constructor(cause: unknown) {
    super('QUEUE_UNAVAILABLE', 'The queue does not answer.', { cause });
  }
}

export interface Publisher {
  publish(jobs: readonly Payload[]): Promise<void>;
  /** How many jobs nobody has taken yet. */
  countWaiting(): Promise<number>;
  /** Throws QueueUnavailableError when the queue does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface Consumer {
  /** Takes no more jobs and waits for those under way, at most `drainMs`. Says whether all came to an end. */
  close(drainMs: number): Promise<boolean>;
}

export interface ConsumerOptions {
  readonly process: (job: Payload) => Promise<void>;
  readonly concurrency: number;
  readonly onError: (error: Error) => void;
}

const CALL_TIMEOUT_MS = 10_000;
/** How long taking leave may last: supervisors give ten seconds more than the drain, for all of it. */
const LEAVE_MS = 2_000;
/** BullMQ owns no retries and keeps no finished jobs: attempts are ours, and each is audited. */
const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: true, attempts: 1 } as const;
/** A look at jobs is due at its moment and is one for many: it goes before the rest. */
function optionsOf({ kind }: Payload): typeof JOB_OPTIONS & { lifo: boolean } {
  return { ...JOB_OPTIONS, lifo: kind === 'poll' };
}
/** BullMQ opens a pool for each queue and worker; they need few connections, since handlers use our own pool. */
const POSTGRES_POOL = { max: 2, connectionTimeoutMillis: 5_000 } as const;

/** The one queue of a connection, so that limits and pauses of one server never hold up another. */
function queueName(connection: string): string {
  return `openreplay-${connection}`;
}

export interface PublisherSettings {
  /** Jobs at a time over all consumers; undefined for as many as they take. */
  readonly maxConcurrency?: number | undefined;
  readonly onError: (error: Error) => void;
}

/** Opens the sending side of a connection's queue. */
export async function openPublisher(
  options: QueueOptions,
  connection: string,
  settings: PublisherSettings,
): Promise<Publisher> {
  const queue = openQueue(options, queueName(connection));
  queue.on('error', settings.onError);
  // On Postgres the tables were made before the process opened anything (src/prepare-queue.ts), and BullMQ looks whether they
  // are of a version it can use; on Redis there may be no server yet, and that is no reason to wait.
  if (options.kind === 'postgres') await queue.waitUntilReady();
  const limit = limiterOf(queue, settings.maxConcurrency);
  return {
    publish: async (jobs) => {
      await bounded(limit());
      await bounded(queue.addBulk(jobs.map((data) => ({ name: data.kind, data, opts: optionsOf(data) }))));
    },
    countWaiting: () => bounded(queue.getJobCountByTypes('wait')),
    ping: async () => {
      await bounded(queue.getJobCountByTypes('wait'));
    },
    close: () => closeQueue(queue),
  };
}

/**
 * Takes everything out of a queue, as the loss of its store would.
 *
 * @returns how many jobs nobody had taken yet
 */
export async function wipeQueue(options: QueueOptions, connection: string): Promise<number> {
  const queue = openQueue(options, queueName(connection));
  queue.on('error', () => undefined);
  try {
    await queue.waitUntilReady();
    const waiting = await bounded(queue.getJobCountByTypes('wait'));
    await bounded(queue.obliterate({ force: true }));
    return waiting;
  } finally {
    await closeQueue(queue);
  }
}

/** Opens the receiving side: `process` is called for each job, at most `concurrency` at a time. */
export function openConsumer(options: QueueOptions, connection: string, consumer: ConsumerOptions): Consumer {
  const handle = async (job: { data: unknown }) => consumer.process(payload.parse(job.data));
  const settings = {
    concurrency: consumer.concurrency,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  };
  const worker = openWorker(options, { name: queueName(connection), handle, settings });
  worker.on('error', consumer.onError);
  return {
    close: async (drainMs) => {
      const drained = await settlesWithin(worker.close(), drainMs);
      if (!drained) await settlesWithin(worker.close(true), LEAVE_MS);
      return drained;
    },
  };
}

/** A process must end in order also while Redis is away: then there is nobody to take leave of. */
async function closeQueue(queue: OpenedQueue): Promise<void> {
  if (await closesWithin(queue.close(), LEAVE_MS)) return;
  await settlesWithin(queue.disconnect(), LEAVE_MS);
}

/** A limit is said with every bulk, since whoever empties the queue's store empties it of this, too; its absence once. */
function limiterOf(queue: OpenedQueue, maxConcurrency: number | undefined): () => Promise<void> {
  let removed = false;
  return async () => {
    if (maxConcurrency !== undefined) await queue.setGlobalConcurrency(maxConcurrency);
    else if (!removed) await queue.removeGlobalConcurrency();
    removed = true;
  };
}

interface WorkerSpec {
  readonly name: string;
  readonly handle: (job: { data: unknown }) => Promise<void>;
  readonly settings: {
    concurrency: number;
    removeOnComplete: { count: number };
    removeOnFail: { count: number };
  };
}

interface ClosableWorker {
  on(event: 'error', listener: (error: Error) => void): unknown;
  close(force?: boolean): Promise<void>;
}

function openWorker(options: QueueOptions, spec: WorkerSpec): ClosableWorker {
  if (options.kind === 'redis') {
    const connection: ConnectionOptions = { url: options.url, maxRetriesPerRequest: null };
    return new Worker(spec.name, spec.handle, { connection, prefix: options.prefix, ...spec.settings });
  }
  const { Worker: PostgresWorker } = withBackend(createPostgresBackend);
  const connection = { connectionString: options.connectionString, ...POSTGRES_POOL };
  return new PostgresWorker(spec.name, spec.handle, { connection, ...spec.settings });
}

type OpenedQueue = Pick<
  Queue,
  | 'addBulk'
  | 'getJobCountByTypes'
  | 'close'
  | 'disconnect'
  | 'waitUntilReady'
  | 'setGlobalConcurrency'
  | 'removeGlobalConcurrency'
  | 'obliterate'
> & {
  on(event: 'error', listener: (error: Error) => void): unknown;
};

function openQueue(options: QueueOptions, name: string): OpenedQueue {
  if (options.kind === 'redis') {
    // Without the offline queue a call fails at once while Redis is away, instead of waiting for it in memory.
    const connection: ConnectionOptions = { url: options.url, enableOfflineQueue: false };
    return new Queue(name, { connection, prefix: options.prefix });
  }
  const { Queue: PostgresQueue } = withBackend(createPostgresBackend);
  const connection = { connectionString: options.connectionString, ...POSTGRES_POOL };
  return new PostgresQueue(name, { connection });
}

async function bounded<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${CALL_TIMEOUT_MS} ms`));
    }, CALL_TIMEOUT_MS);
  });
  try {
    return await Promise.race([call, timeout]);
  } catch (error) {
    throw new QueueUnavailableError(error);
  } finally {
    clearTimeout(timer);
  }
}

async function closesWithin(closing: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let closed = false;
  const noted = closing.then(() => {
    closed = true;
  });
  await settlesWithin(noted, timeoutMs);
  return closed;
}

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, timeoutMs);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const result = await Promise.race([settled, timeout]);
  clearTimeout(timer);
  return result;
}
