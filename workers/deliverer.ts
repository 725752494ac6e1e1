import { setTimeout as sleep } from 'node:timers/promises';
import { deliverCallback } from '../src/app/deliver-callback.ts';
import { deliverReply } from '../src/app/deliver-reply.ts';
import { watchDeadlines } from '../src/app/watch-deadlines.ts';
import type { Deps } from '../src/app/ports.ts';
import type { TakenDelivery } from '../src/app/ports/callbacks.ts';

export interface DelivererOptions {
  /** How long to wait for the next look when nobody nudges. */
  readonly intervalMs: number;
  /** Longer than all calls of one attempt may take together: leases are not renewed. */
  readonly leaseMs: number;
  /** How long what was settled is kept. */
  readonly keepMs: number;
  /** How often deadlines are looked at, and old deliveries deleted. */
  readonly roundMs: number;
}

export interface Deliverer {
  /** Something may be due now. */
  nudge(): void;
  /** Ends after the calls under way. */
  stop(): Promise<void>;
}

/**
 * So many calls to one receiver at a time, over all processes. With the most callbacks that there may be it bounds the calls
 * of a process too, so that all may be under way at once and a slow receiver takes no place from another.
 */
const PER_RECEIVER = 4;
const MAX_PAUSE_MS = 30_000;

/**
 * Sends what is due, for ever, until stopped; any number may run. A row of `deliveries` is outbox, schedule and lease at once:
 * what a process held that died is due again when its lease ends, and goes out once more with the same id.
 */
export function startDeliverer(deps: Deps, options: DelivererOptions): Deliverer {
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const bell = new Bell();
  const running = Promise.all([
    repeat(deps, stopping.signal, {
      what: 'deliver',
      pause: (failures) => bell.wait(Math.min(MAX_PAUSE_MS, options.intervalMs * 2 ** failures)),
      act: async () => {
        const due = await deps.store.takeDueDeliveries({
          perReceiver: PER_RECEIVER,
          leaseMs: options.leaseMs,
        });
        for (const delivery of due) {
          const call = deliver(deps, delivery).finally(() => {
            underWay.delete(call);
            // Its receiver has room for the next.
            bell.ring();
          });
          underWay.add(call);
        }
      },
    }),
    repeat(deps, stopping.signal, {
      what: 'look at deadlines and old deliveries',
      pause: () => sleep(options.roundMs, undefined, { signal: stopping.signal }).catch(() => undefined),
      act: async () => {
        await watchDeadlines(deps);
        await deps.store.tidyDeliveries(options.keepMs);
      },
    }),
  ]);
  return {
    nudge: () => {
      bell.ring();
    },
    stop: async () => {
      stopping.abort();
      bell.ring();
      await running;
      await Promise.all(underWay);
    },
  };
}

interface Repeated {
  readonly what: string;
  readonly act: () => Promise<void>;
  readonly pause: (failures: number) => Promise<void>;
}

async function repeat(
  { log }: Pick<Deps, 'log'>,
  signal: AbortSignal,
  { what, act, pause }: Repeated,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await act();
      failures = 0;
    } catch (error) {
      failures = Math.min(failures + 1, 10);
      log.warn({ err: error, failures }, `could not ${what}; trying again`);
    }
    await pause(failures);
  }
}

/** Never rejects: what could not be written is due again when the lease ends. */
async function deliver(deps: Deps, delivery: TakenDelivery): Promise<void> {
  const { id, callbackId } = delivery;
  try {
    if (callbackId === null) await deliverReply(deps, delivery);
    else await deliverCallback(deps, { ...delivery, callbackId });
  } catch (error) {
    deps.log.warn(
      { err: error, deliveryId: id },
      'a delivery could not be made or written; its lease runs out',
    );
  }
}

/** Lets one wait until it rings or time is over; rung while nobody waits, the next wait is none. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      const woken = new AbortController();
      this.#wake = () => {
        woken.abort();
      };
      await sleep(ms, undefined, { signal: woken.signal }).catch(() => undefined);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}
