import type { HandedOut, Log, Store } from '../app/ports.ts';
import type { Payload } from './payload.ts';
import type { Publisher } from './queue-backend.ts';

export interface DispatcherOptions {
  readonly store: Pick<Store, 'claimDueWork'>;
  /** By connection name: only work of these connections is handed out. */
  readonly publishers: ReadonlyMap<string, Pick<Publisher, 'publish'>>;
  /** How long to wait for the next look when nothing was due. */
  readonly intervalMs: number;
  /** After this time, work that nobody took is handed out again. */
  readonly handOutMs: number;
  /** Nothing is handed out while so much is out already, over all dispatchers: bounds the queue's memory. */
  readonly maxHandedOut: number;
  readonly log: Log;
}

export interface Dispatcher {
  /** Work has become due: look now. */
  nudge(): void;
  /** Ends after the round under way. */
  stop(): Promise<void>;
}

/** Polls of one project go together, so that one page of jobs can answer many. */
const POLLS_PER_JOB = 200;
const MAX_PAUSE_MS = 10_000;

/**
 * Leases what is due in Postgres and hands ids to the queue, for ever, until stopped. Any number of dispatchers may
 * run at once. A failure (database or queue away) makes it wait longer, up to ten seconds; leases run out by themselves.
 */
export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const pause = new Pause();
  let stopping = false;
  const loop = async () => {
    let failures = 0;
    while (!stopping) {
      try {
        const count = await handOut(options);
        failures = 0;
        if (count === 0) await pause.wait(options.intervalMs);
      } catch (error) {
        failures += 1;
        options.log.warn({ err: error, failures }, 'could not hand out work; trying again');
        await pause.wait(Math.min(MAX_PAUSE_MS, options.intervalMs * 2 ** Math.min(failures, 10)));
      }
    }
  };
  const running = loop();
  return {
    nudge: () => {
      pause.end();
    },
    stop: async () => {
      stopping = true;
      pause.end();
      await running;
    },
  };
}

async function handOut(options: DispatcherOptions): Promise<number> {
  const claimed = await options.store.claimDueWork({
    connections: [...options.publishers.keys()],
    handOutMs: options.handOutMs,
    max: options.maxHandedOut,
  });
  for (const [connection, publisher] of options.publishers) {
    const own = claimed.filter((work) => work.connection === connection);
    if (own.length > 0) await publisher.publish(jobsFor(own));
  }
  return claimed.length;
}

/** One job for each piece of work; the polls of a project together. */
function jobsFor(claimed: readonly HandedOut[]): readonly Payload[] {
  const jobs: Payload[] = [];
  const polls = new Map<string, Payload['work']>();
  for (const { id, lease, kind, projectKey } of claimed) {
    if (kind !== 'poll' || projectKey === null) jobs.push({ kind, work: [{ id, lease }] });
    else polls.set(projectKey, [...(polls.get(projectKey) ?? []), { id, lease }]);
  }
  for (const work of polls.values()) {
    for (let from = 0; from < work.length; from += POLLS_PER_JOB) {
      jobs.push({ kind: 'poll', work: work.slice(from, from + POLLS_PER_JOB) });
    }
  }
  return jobs;
}

/** A wait that can be ended early. A nudge while nobody waits makes the next wait end at once. */
class Pause {
  private nudged = false;
  private wake: (() => void) | undefined;

  async wait(timeoutMs: number): Promise<void> {
    if (!this.nudged) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.nudged = false;
    this.wake = undefined;
  }

  end(): void {
    this.nudged = true;
    this.wake?.();
  }
}
