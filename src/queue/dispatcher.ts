import type { HandedOut, Log, Store } from '../app/ports.ts';
import type { Payload } from './payload.ts';
import type { Publisher } from './queue-backend.ts';

export interface DispatcherOptions {
  readonly store: Pick<Store, 'claimDueWork'>;
  /** By connection name: only work of these connections is handed out. */
  readonly publishers: ReadonlyMap<string, Pick<Publisher, 'publish' | 'countWaiting'>>;
  /** How long to wait for the next look when nothing was due. */
  readonly intervalMs: number;
  /** After this time, work that nobody took is handed out again. */
  readonly handOutMs: number;
  /**
   * Nothing is handed out while so much is out already, over all dispatchers and for each connection, jobs included that
   * still wait in the queue after their hand-out ran out: bounds the queue's memory.
   */
  readonly maxHandedOut: number;
  readonly log: Log;
}

export interface Dispatcher {
  /** Work has become due: look now. */
  nudge(): void;
  /** Ends after the round under way. */
  stop(): Promise<void>;
}

/**
 * Polls of one project go together, so that one page of jobs can answer many; and those of more jobs than a page has, since
 * each reading of the list begins with the newest.
 */
const POLLS_PER_JOB = 1_000;
const MAX_PAUSE_MS = 10_000;
/**
 * The least time between two looks, however often it is nudged: what becomes due meanwhile goes together. A look and
 * a bulk of jobs cost much the same for one job as for fifty.
 */
const GATHER_MS = 50;

/**
 * Leases what is due in Postgres and hands ids to the queue, for ever, until stopped. Any number of dispatchers may
 * run at once. A failure (database or queue away) makes it wait longer, up to ten seconds; leases run out by themselves.
 */
export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const pause = new Pause();
  const busy = new Set<string>();
  const loop = async () => {
    let failures = 0;
    while (!pause.stopped) {
      try {
        const count = await handOut(options, busy);
        failures = 0;
        await pause.rest(GATHER_MS);
        if (count === 0) await pause.wait(options.intervalMs - GATHER_MS);
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
      pause.nudge();
    },
    stop: async () => {
      pause.stop();
      await running;
    },
  };
}

/** @param busy connections whose queue may hold something; others' are not asked */
async function handOut(options: DispatcherOptions, busy: Set<string>): Promise<number> {
  const { store, handOutMs, maxHandedOut: max } = options;
  const handedOut = await Promise.allSettled(
    [...options.publishers].map(async ([connection, publisher]) => {
      const waiting = busy.has(connection) ? await publisher.countWaiting() : 0;
      // A queue that is full of other work still takes polls: hundreds of them are one job.
      const maxPolls = waiting > max ? 0 : max;
      const claimed = await store.claimDueWork({
        ...{ connection, handOutMs, maxPolls },
        max: Math.max(0, max - waiting),
      });
      if (claimed.length > 0) busy.add(connection);
      else if (waiting === 0) busy.delete(connection);
      if (claimed.length > 0) await publisher.publish(jobsFor(claimed));
      return claimed.length;
    }),
  );
  let count = 0;
  // One connection that fails keeps no other connection's work back.
  for (const result of handedOut) {
    if (result.status === 'rejected') throw result.reason;
    count += result.value;
  }
  return count;
}

/** Deliveries go together, since most of them are nothing for us, and that is written at once. */
const DELIVERIES_PER_JOB = 200;

/** One job for each piece of work; the polls of a project together, and deliveries of all sources. */
function jobsFor(claimed: readonly HandedOut[]): readonly Payload[] {
  const jobs: Payload[] = [];
  const polls = new Map<string, Payload['work']>();
  const deliveries: Payload['work'] = [];
  for (const { id, lease, kind, projectKey } of claimed) {
    if (kind === 'judge') deliveries.push({ id, lease });
    else if (kind !== 'poll' || projectKey === null) jobs.push({ kind, work: [{ id, lease }] });
    else polls.set(projectKey, [...(polls.get(projectKey) ?? []), { id, lease }]);
  }
  for (const work of polls.values()) jobs.push(...inParts('poll', work, POLLS_PER_JOB));
  jobs.push(...inParts('judge', deliveries, DELIVERIES_PER_JOB));
  return jobs;
}

function inParts(kind: Payload['kind'], work: Payload['work'], size: number): readonly Payload[] {
  return Array.from({ length: Math.ceil(work.length / size) }, (_, part) => ({
    kind,
    work: work.slice(part * size, (part + 1) * size),
  }));
}

/** Waits that can be ended early. A nudge while nobody waits makes the next wait end at once; a stop ends all. */
class Pause {
  stopped = false;
  private nudged = false;
  private wake: (() => void) | undefined;
  private resting = false;

  /** Until the time is over, somebody nudges, or the stop. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.nudged) await this.sleep(timeoutMs);
    this.nudged = false;
  }

  /** Until the time is over or the stop; a nudge is kept for the wait that follows. */
  async rest(timeoutMs: number): Promise<void> {
    this.resting = true;
    await this.sleep(timeoutMs);
    this.resting = false;
  }

  nudge(): void {
    this.nudged = true;
    if (!this.resting) this.wake?.();
  }

  stop(): void {
    this.stopped = true;
    this.wake?.();
  }

  private async sleep(timeoutMs: number): Promise<void> {
    if (this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }
}
