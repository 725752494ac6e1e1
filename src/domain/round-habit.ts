import type { Pace } from './pace.ts';

/** A round that OpenReplay completed, as Round has it. RFC 3339. */
export interface ObservedRound {
  readonly submittedAt: string;
  /** As OpenReplay named it, where it does. */
  readonly startAt: string | null;
  /** When Lethe saw the end, so the time until it looked is in it. */
  readonly endedAt: string;
}

/** How long a connection's rounds take. */
export interface Habit {
  /** `nightly`: a job waits for the next midnight UTC; `at_once`: it starts when it is asked for. */
  readonly schedule: 'nightly' | 'at_once';
  /** Milliseconds from the start (midnight for `nightly`, the submission for `at_once`) to the end seen. */
  readonly roundMs: number;
  /** Finished rounds this rests on. */
  readonly sampleSize: number;
  /** `assumed`: too few rounds were seen, so it is what is known of real servers. */
  readonly confidence: 'observed' | 'assumed';
}

/**
 * Which percentile of the rounds seen is expected of the next (nearest rank). Not the mean: one night that was missed
 * would move it by hours, and a forecast that holds half of the time is of no use beside a due date.
 */
export const PERCENTILE = 90;

const DAY_MS = 86_400_000;
/** Below this many rounds a percentile says nothing. */
const MIN_OBSERVED = 5;
/** Older rounds tell of a server that may have changed since. */
export const MAX_OBSERVED = 50;
/** Real servers' runner wakes at 00:15 UTC, that of the Enterprise edition at 01:05. */
const LATEST_RUNNER_MS = 65 * 60_000;

/** What a connection's finished rounds, the most recent first, show of its next ones. */
export function habitOf(rounds: readonly ObservedRound[], pace: Pace): Habit {
  const recent = rounds.slice(0, MAX_OBSERVED);
  if (recent.length < MIN_OBSERVED) {
    const roundMs = LATEST_RUNNER_MS + pace.polling.maxIntervalMs;
    return { schedule: 'nightly', roundMs, sampleSize: recent.length, confidence: 'assumed' };
  }
  const schedule = recent.filter(endedOnItsDay).length * 2 > recent.length ? 'at_once' : 'nightly';
  const durations = recent.map((round) => {
    const submitted = Date.parse(round.submittedAt);
    return Math.max(0, Date.parse(round.endedAt) - startOf(schedule, submitted, round.startAt));
  });
  return { schedule, roundMs: percentile(durations), sampleSize: recent.length, confidence: 'observed' };
}

/** A server that waits for the night never ends a round before the midnight that follows on its submission. */
function endedOnItsDay({ submittedAt, endedAt }: ObservedRound): boolean {
  return Date.parse(endedAt) < nextMidnight(Date.parse(submittedAt));
}

/** When a round that is submitted at `submitted` is seen to end. Epoch ms. */
export function roundEnd(habit: Habit, submitted: number): number {
  return startOf(habit.schedule, submitted, null) + habit.roundMs;
}

/**
 * When a round under way is seen to end. One that should have ended already missed its run: the next night's is
 * waited for, or, where rounds start at once, as long again. Epoch ms.
 */
export function runningRoundEnd(
  habit: Habit,
  round: { submittedAt: Date; startAt: Date | null },
  now: number,
): number {
  const named = round.startAt === null ? null : round.startAt.toISOString();
  const end = startOf(habit.schedule, round.submittedAt.getTime(), named) + habit.roundMs;
  if (end > now) return end;
  if (habit.schedule === 'at_once') return now + habit.roundMs;
  return end + (Math.floor((now - end) / DAY_MS) + 1) * DAY_MS;
}

function startOf(schedule: Habit['schedule'], submitted: number, startAt: string | null): number {
  const named = startAt === null ? undefined : Date.parse(startAt);
  if (schedule === 'at_once') return Math.max(submitted, named ?? submitted);
  return named ?? nextMidnight(submitted);
}

function nextMidnight(at: number): number {
  return (Math.floor(at / DAY_MS) + 1) * DAY_MS;
}

function percentile(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * PERCENTILE) / 100) - 1] ?? 0;
}
