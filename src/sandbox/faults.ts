import type { OperationId } from './options.ts';

/** How one call can go wrong; `none` in a script is a call that goes right. */
export const CALL_FAULTS = [
  'none',
  /** 500 with a JSON error; 500 with an HTML page, as a proxy writes it. Nothing is carried out. */
  'errors500',
  'htmlErrors',
  /** 200 that carries `errors` and no data. Nothing is carried out. */
  'errorsIn200',
  /** 429 with Retry-After. Nothing is carried out. */
  'rateLimited',
  /** 401, whatever the key. Real servers also say so when their own database fails. */
  'unauthorized',
  /** 302 to another path. Nothing is carried out. */
  'redirected',
  /** A 404 for something that is there: a database hiccup. Nothing is carried out. */
  'jobHiccup404',
  /** The socket is destroyed before anything is carried out. */
  'cutBefore',
  /** Carried out, and then the socket is destroyed without an answer. */
  'cutAfterDelete',
  /** Never answered, and nothing carried out. */
  'timeouts',
  /** Carried out, and never answered. */
  'timeoutsAfter',
  /** Answered as it should be, `latencyMs` later. */
  'slow',
] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

export const JOB_FAULTS = ['failFirstJob', 'hangJobs', 'vanishJobs', 'cancelledByOthers'] as const;
/**
 * How a job can go wrong. `failFirstJob`: a user's first run fails. `hangJobs`: scheduled for ever.
 * `vanishJobs`: accepted, and then neither readable nor listed nor run. `cancelledByOthers`: cancelled when it would run.
 */
export type JobFault = (typeof JOB_FAULTS)[number];

/** From 0 (never) to 1 (always), or true; for all operations, or by operationId. */
export type CallRate = number | boolean | Readonly<Partial<Record<OperationId, number>>>;
/** From 0 to 1 for all users, or for the named ones always and the others at `rate` (0 when left out). */
export type JobRate = number | { readonly rate?: number; readonly userIds?: ReadonlySet<string> };

/** What is to go wrong. May be changed at any time; each call and each job looks anew. */
export type Faults = Record<Exclude<CallFault, 'none'>, CallRate> &
  Record<JobFault, JobRate> & {
    /** Of `slow`, in ms. */
    latencyMs: number;
    /** Of `rateLimited`: how long the server asks for, and in which of the two forms of Retry-After. */
    retryAfterSeconds: number;
    retryAfterForm: 'seconds' | 'date';
    /** Of `failFirstJob`: so many sessions are deleted before it fails. */
    deletedBeforeFailing: number;
    /** The next so many nightly runs do not happen: jobs wait a further day. */
    missedRuns: number;
    /** Cancelled jobs are carried out all the same and turn into completed: the runner had picked them up. */
    completesAfterCancel: boolean;
  };

/** A world in which nothing goes wrong. */
export function noFaults(): Faults {
  return {
    ...{ errors500: 0, htmlErrors: 0, errorsIn200: 0, rateLimited: 0, unauthorized: 0, redirected: 0 },
    ...{ jobHiccup404: 0, cutBefore: 0, cutAfterDelete: 0, timeouts: 0, timeoutsAfter: 0, slow: 0 },
    ...{ failFirstJob: 0, hangJobs: 0, vanishJobs: 0, cancelledByOthers: 0 },
    ...{ latencyMs: 200, retryAfterSeconds: 1, retryAfterForm: 'seconds' },
    ...{ deletedBeforeFailing: 0, missedRuns: 0, completesAfterCancel: false },
  };
}

/** These speak of one operation; a plain rate leaves the others alone (a rate by operation, or a script, does not). */
const OWN_OPERATION: Partial<Record<CallFault, OperationId>> = {
  cutAfterDelete: 'deleteUser',
  jobHiccup404: 'getJob',
};

/** Decides for each call and each job what goes wrong: first what was scripted, then by the rates. */
export class FaultDraw {
  readonly faults: Faults = noFaults();
  readonly #random: () => number;
  readonly #scripts = new Map<OperationId, CallFault[]>();

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The next `times` calls of that operation get `fault`, after those scripted before. */
  script(operationId: OperationId, fault: CallFault, times = 1): void {
    const script = this.#scripts.get(operationId) ?? [];
    script.push(...Array.from({ length: times }, () => fault));
    this.#scripts.set(operationId, script);
  }

  /** What goes wrong with this call. `slow` goes along with another fault. */
  forCall(operationId: OperationId): { readonly fault: CallFault; readonly slow: boolean } {
    const scripted = this.#scripts.get(operationId)?.shift();
    if (scripted !== undefined) return { fault: scripted, slow: scripted === 'slow' };
    const slow = this.#happens(callRate(this.faults, 'slow', operationId));
    for (const fault of CALL_FAULTS) {
      if (fault === 'none' || fault === 'slow') continue;
      if (this.#happens(callRate(this.faults, fault, operationId))) return { fault, slow };
    }
    return { fault: 'none', slow };
  }

  /** Whether `fault` befalls a job of this user. */
  forJob(fault: JobFault, userId: string): boolean {
    const rate = this.faults[fault];
    if (typeof rate === 'number') return this.#happens(rate);
    return rate.userIds?.has(userId) === true || this.#happens(rate.rate ?? 0);
  }

  #happens(rate: number): boolean {
    // Nothing is drawn for what cannot happen, so that one fault does not shift the luck of another.
    return rate > 0 && this.#random() < rate;
  }
}

function callRate(faults: Faults, fault: Exclude<CallFault, 'none'>, operationId: OperationId): number {
  const rate = faults[fault];
  if (typeof rate === 'object') return rate[operationId] ?? 0;
  const own = OWN_OPERATION[fault];
  return own === undefined || own === operationId ? Number(rate) : 0;
}
