import { setTimeout as sleep } from 'node:timers/promises';
import type { HandedOut, Log, Store } from '../../src/app/ports.ts';
import type { Payload } from '../../src/queue/payload.ts';

const PATIENCE_MS = 30_000;

export type Claim = Store['claimDueWork'];

/** A queue that only remembers; `answer` stands for what a real one does with the jobs. */
export class RecordingPublisher {
  readonly jobs: Payload[] = [];
  private readonly answer: (jobs: readonly Payload[]) => Promise<void>;

  constructor(answer: (jobs: readonly Payload[]) => Promise<void> = () => Promise.resolve()) {
    this.answer = answer;
  }

  async publish(jobs: readonly Payload[]): Promise<void> {
    await this.answer(jobs);
    this.jobs.push(...jobs);
  }

  /** Jobs that a test says nobody has taken. */
  waiting = 0;

  countWaiting(): Promise<number> {
    return Promise.resolve(this.waiting);
  }

  get work(): Payload['work'] {
    return this.jobs.flatMap((job) => job.work);
  }
}

/** Keeps what each look at the store brought, and what was warned of. */
export class Watch {
  readonly looks: (readonly HandedOut[])[] = [];
  readonly warnings: unknown[] = [];
  readonly log: Log = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (fields) => {
      this.warnings.push(fields);
    },
  };
  readonly claimDueWork: Claim;

  constructor(claim: Claim) {
    this.claimDueWork = async (limits) => {
      const found = await claim(limits);
      this.looks.push(found);
      return found;
    };
  }
}

/** Waits until `holds`, which is asked again and again. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${holds.toString()}`);
    await sleep(2);
  }
}

/** A promise that somebody else settles. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
