import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../src/app/ports.ts';
import type { LogStore, TreeGrower } from '../src/app/ports/log.ts';
import { LetheError } from '../src/domain/errors.ts';
import { RUNS_AT_A_TIME, sealEvents } from '../src/app/seal-events.ts';

export interface SealerOptions {
  readonly store: LogStore;
  readonly tree: TreeGrower;
  readonly intervalMs: number;
  readonly log: Log;
}

export interface Sealer {
  /** Ends after what is being sealed. */
  stop(): Promise<void>;
}

const MAX_PAUSE_MS = 60_000;

/**
 * Seals what waits, for ever, until stopped. Any number may run: one at a time seals. A failure makes it wait longer, up to
 * a minute; what waits meanwhile is shown as the lag of the log.
 */
export function startSealer(options: SealerOptions): Sealer {
  const stopping = new AbortController();
  const running = sealUntil(options, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function sealUntil(options: SealerOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const count = await sealEvents({ log: options.store, tree: options.tree });
      failures = 0;
      if (count > 0) options.log.debug({ count }, 'sealed events');
      // So much has piled up that there may be more.
      if (count >= RUNS_AT_A_TIME) continue;
    } catch (error) {
      failures += 1;
      const isTampered = error instanceof LetheError && error.code.startsWith('LOG_');
      options.log[isTampered ? 'error' : 'warn'](
        { err: error, failures },
        'could not seal events; trying again',
      );
    }
    const pauseMs = Math.min(MAX_PAUSE_MS, options.intervalMs * 2 ** Math.min(failures, 10));
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
