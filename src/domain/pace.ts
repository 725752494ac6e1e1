import type { CallFailure } from './openreplay.ts';
import type { Round } from './task.ts';

/** How fast things are tried and looked at again. All times in milliseconds; from configuration. */
export interface Pace {
  readonly polling: {
    readonly minIntervalMs: number;
    readonly maxIntervalMs: number;
    /** The next look comes after this fraction of the time waited so far. */
    readonly fraction: number;
  };
  readonly verification: {
    /** How long what is still seen may take to disappear before it counts as residue. */
    readonly settleMs: number;
    readonly retryMs: number;
    /** Whether a user record that stays (another store than the one the job cleans) is residue. */
    readonly requireUserAbsent: boolean;
  };
  readonly retry: {
    readonly baseMs: number;
    readonly maxMs: number;
    /** A step that keeps failing is tried for this long at least. */
    readonly patienceMs: number;
    /** And then until this long before the request is due: a person needs time to act. */
    readonly beforeDueMs: number;
  };
  /** How long past its start a job may stay scheduled until that is noted, and until it is asked for anew. */
  readonly jobs: { readonly overdueMs: number; readonly stalledMs: number };
  readonly rounds: { readonly max: number; readonly maxFailedJobs: number };
  /** How long a subject who is live is waited for before the deletion is asked for; 0 for not looking. */
  readonly waitForLiveMs: number;
  /** How long after an erasure it is looked again whether the subject is still gone, ascending; none for never. */
  readonly sentinelAgesMs: readonly number[];
}

/** Reads that doubt a job before the doubt counts: one 404 of a real server is no verdict. */
export const DOUBTS_THAT_COUNT = 3;

/**
 * When to look at a round's job again: not before `startAt` where OpenReplay names it, then spaced
 * geometrically, so that the number of looks grows with the logarithm of the time waited while the delay in
 * noticing stays a fraction of it. Looks fall on common moments, the further apart the longer the wait, so that many
 * jobs are looked at together.
 *
 * @param nowMs epoch ms
 * @returns epoch ms
 */
export function nextPollAt(round: Round, nowMs: number, pace: Pace): number {
  const { minIntervalMs, maxIntervalMs, fraction } = pace.polling;
  const startAt = round.startAt === null ? 0 : Date.parse(round.startAt);
  const since = Date.parse(round.submittedAt ?? round.intendedAt);
  const mayWait = (fromMs: number) => Math.min(maxIntervalMs, (fromMs - since) * fraction);
  if (startAt > nowMs) return commonMoment(startAt, { minIntervalMs, atMostMs: mayWait(startAt) });
  // Half of it to the moment and half at most for the way to a common one: never later than the fraction says.
  const half = mayWait(nowMs) / 2;
  return commonMoment(nowMs + Math.max(minIntervalMs, half), { minIntervalMs, atMostMs: half });
}

/** The next multiple of the interval, doubled while it stays below `atMostMs`: what comes due meanwhile waits for one look. */
function commonMoment(
  atMs: number,
  { minIntervalMs, atMostMs }: { minIntervalMs: number; atMostMs: number },
): number {
  let intervalMs = minIntervalMs;
  while (intervalMs * 2 <= atMostMs) intervalMs *= 2;
  return Math.ceil(atMs / intervalMs) * intervalMs;
}

/** The server, or who holds its key, wants fewer calls: that is no failure of the step that heard it. */
export function isMood(failure: CallFailure): boolean {
  return failure.kind === 'rate_limited' || failure.kind === 'unauthorized' || failure.kind === 'withheld';
}

const WITHOUT_DEADLINE_MS = 30 * 86_400_000;

/**
 * When a step that keeps failing is handed to a person.
 *
 * @param failingSince epoch ms
 * @param by.dueAt epoch ms, or null where no law sets a deadline
 * @returns epoch ms
 */
export function giveUpAt(failingSince: number, by: { dueAt: number | null; pace: Pace }): number {
  const { patienceMs, beforeDueMs } = by.pace.retry;
  if (by.dueAt === null) return failingSince + Math.max(patienceMs, WITHOUT_DEADLINE_MS);
  return Math.max(failingSince + patienceMs, by.dueAt - beforeDueMs);
}

/**
 * How long to wait before the next attempt: exponential with jitter (half to all of it), or what the server
 * asked for where that is longer.
 *
 * @param attempts failed attempts so far, this one included where it counts
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function backoffMs(
  failure: CallFailure,
  attempts: number,
  options: { pace: Pace; random: number },
): number {
  const { baseMs, maxMs } = options.pace.retry;
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(attempts - 1, 0), 30));
  const jittered = Math.round(full * (0.5 + options.random / 2));
  const asked = failure.kind === 'rate_limited' ? (failure.retryAfterMs ?? 0) : 0;
  return Math.max(jittered, asked);
}
