import type { Log, Store, WorkLease } from '../src/app/ports.ts';

/**
 * The work in this process's hands. Its leases are renewed for as long as the process lives, so that a lease can be
 * short (a killed worker's work is soon handed out again) however long a step takes.
 */
export class HeldWork {
  private readonly leases = new Map<string, WorkLease>();
  private readonly timer: NodeJS.Timeout;
  private readonly store: Pick<Store, 'renewLeases' | 'releaseLeases'>;

  constructor(options: { store: Pick<Store, 'renewLeases' | 'releaseLeases'>; leaseMs: number; log: Log }) {
    this.store = options.store;
    this.timer = setInterval(() => {
      if (this.leases.size === 0) return;
      this.store.renewLeases([...this.leases.values()], options.leaseMs).catch((error: unknown) => {
        options.log.warn({ err: error, leases: this.leases.size }, 'could not renew leases');
      });
    }, options.leaseMs / 3);
  }

  /** Holds these leases until `step` has ended, however it ends. */
  async during<T>(held: readonly WorkLease[], step: () => Promise<T>): Promise<T> {
    for (const lease of held) this.leases.set(lease.id, lease);
    try {
      return await step();
    } finally {
      for (const lease of held) this.leases.delete(lease.id);
    }
  }

  /** Stops renewing and hands back what is still held. */
  async release(): Promise<void> {
    clearInterval(this.timer);
    if (this.leases.size > 0) await this.store.releaseLeases([...this.leases.values()]);
  }
}
