import type { Deps, Log } from '../src/app/ports.ts';
import { startDispatcher, type Dispatcher } from '../src/queue/dispatcher.ts';
import type { Payload } from '../src/queue/payload.ts';
import {
  openConsumer,
  openPublisher,
  type Consumer,
  type Publisher,
  type QueueOptions,
} from '../src/queue/queue-backend.ts';
import type { WorkerContext } from './context.ts';
import { HeldWork } from './held-work.ts';
import { ServerMemory } from './server-memory.ts';
import { takeStep } from './steps.ts';

export interface WorkerOptions {
  readonly queue: QueueOptions;
  /** Steps at a time in this process, by connection name. */
  readonly concurrency: ReadonlyMap<string, number>;
  /** And over all processes, where there is a limit. */
  readonly maxConcurrency?: ReadonlyMap<string, number>;
  readonly handOutMs: number;
  readonly dispatchIntervalMs: number;
  readonly maxHandedOut: number;
  /** How long a stop waits for the steps under way. */
  readonly drainMs: number;
  /** Opens the sending side of a queue; tests put one in that delivers everything twice. */
  readonly openPublisher?: typeof openPublisher;
}

export interface RunningWorker {
  /** Work has become due in this process: hand it out now. */
  nudge(): void;
  /** Hands nothing more out, lets the steps under way finish within drainMs, hands back what has not. */
  stop(): Promise<void>;
}

/** Starts dispatcher and workers for every connection. The caller wires `deps.workIsDue` to `nudge`. */
export async function startWorker(deps: Deps, options: WorkerOptions): Promise<RunningWorker> {
  const { log, store } = deps;
  const held = new HeldWork({ store, leaseMs: deps.leaseMs, log });
  const context: WorkerContext = { deps, held, memory: new ServerMemory() };
  const publishers = await openPublishers(options, [...deps.connections.keys()], log);
  const consumers = openConsumers(context, options);
  const dispatcher = startDispatcher({
    store,
    publishers,
    intervalMs: options.dispatchIntervalMs,
    handOutMs: options.handOutMs,
    maxHandedOut: options.maxHandedOut,
    log,
  });
  return {
    nudge: () => {
      dispatcher.nudge();
    },
    stop: () => stopAll({ dispatcher, consumers, publishers, held, drainMs: options.drainMs, log }),
  };
}

async function openPublishers(
  options: WorkerOptions,
  connections: readonly string[],
  log: Log,
): Promise<ReadonlyMap<string, Publisher>> {
  const onError = queueErrors(log);
  const publishers = new Map<string, Publisher>();
  const open = options.openPublisher ?? openPublisher;
  for (const name of connections) {
    const maxConcurrency = options.maxConcurrency?.get(name);
    publishers.set(name, await open(options.queue, name, { maxConcurrency, onError }));
  }
  return publishers;
}

function openConsumers(context: WorkerContext, options: WorkerOptions): readonly Consumer[] {
  const { deps } = context;
  return [...deps.connections.keys()].map((name) =>
    openConsumer(options.queue, name, {
      process: (job) => perform(context, job),
      concurrency: options.concurrency.get(name) ?? 1,
      onError: queueErrors(deps.log),
    }),
  );
}

/**
 * Does one job of the queue. It never fails there: what a failure means is written in Postgres, and work whose
 * database is away is due again when its lease ends. So no text of ours ends up in the queue.
 */
async function perform(context: WorkerContext, job: Payload): Promise<void> {
  try {
    await takeStep(context, job.kind, job.work);
    context.deps.log.debug({ kind: job.kind, count: job.work.length }, 'took work from the queue');
  } catch (error) {
    context.deps.log.warn(
      { err: error, kind: job.kind },
      'a step could not be taken or written; its lease runs out',
    );
  }
}

function queueErrors(log: Log): (error: Error) => void {
  return (error) => {
    log.warn({ err: error }, 'the queue reports an error');
  };
}

interface Parts {
  readonly dispatcher: Dispatcher;
  readonly consumers: readonly Consumer[];
  readonly publishers: ReadonlyMap<string, Publisher>;
  readonly held: HeldWork;
  readonly drainMs: number;
  readonly log: Log;
}

async function stopAll(parts: Parts): Promise<void> {
  await parts.dispatcher.stop();
  const drained = await Promise.all(parts.consumers.map((consumer) => consumer.close(parts.drainMs)));
  if (drained.includes(false))
    parts.log.warn({ drainMs: parts.drainMs }, 'not all steps ended in time; handing back');
  await parts.held.release();
  await Promise.all([...parts.publishers.values()].map((publisher) => publisher.close()));
}
