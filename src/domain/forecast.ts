import type { Calendar } from './calendar.ts';
import type { Day } from './day.ts';
import type { Pace } from './pace.ts';
import {
  habitOf,
  PERCENTILE,
  roundEnd,
  runningRoundEnd,
  type Habit,
  type ObservedRound,
} from './round-habit.ts';

/** How many sessions one job of a real server deletes at most before it reports `completed`. */
export const SESSIONS_PER_ROUND = 1_000;

const DAY_MS = 86_400_000;

/** Where a task stands, as far as its end can be foreseen from there. */
export type ForecastPosition =
  /** The next round is still to be submitted; `notBefore`: the work's time, after backoff or cooling off. */
  | { readonly kind: 'queued'; readonly notBefore: Date | null }
  | { readonly kind: 'running'; readonly submittedAt: Date; readonly startAt: Date | null }
  /** `nextLookAt`: the work's time. */
  | { readonly kind: 'verifying'; readonly nextLookAt: Date }
  /** `why`: a sentence, as in the request's view. */
  | { readonly kind: 'waits_for_person'; readonly why: string }
  | { readonly kind: 'on_hold' };

export interface ForecastInput {
  readonly position: ForecastPosition;
  /** Sessions still there, those that a running round takes away included; null when not counted. */
  readonly sessions: number | null;
  /** Completed rounds of the connection, the most recent first. */
  readonly observed: readonly ObservedRound[];
  readonly now: Date;
  readonly pace: Pace;
}

/** When a task is expected to be verified as erased, or why nobody can say. */
export type Forecast = Expected | Unforeseeable;

export interface Expected {
  readonly expectedAt: Date;
  readonly confidence: 'observed' | 'assumed';
  readonly basis: ForecastBasis;
}

export interface Unforeseeable {
  readonly expectedAt: null;
  readonly because: 'waits_for_person' | 'on_hold';
  readonly words: string;
}

/** What a forecast rests on. */
export interface ForecastBasis {
  /** Rounds still to end, one under way included. */
  readonly rounds: number;
  readonly sessions: number | null;
  readonly schedule: Habit['schedule'];
  /** Milliseconds from a round's start to its end, at `percentile` of the sample or assumed. */
  readonly roundMs: number;
  readonly percentile: number;
  readonly sampleSize: number;
  /** Milliseconds until the second look that verification may need. */
  readonly verificationMs: number;
  readonly words: string;
}

/**
 * When a task will be erased, from how long its connection's rounds took (see PERCENTILE) and the rounds it still
 * needs. Where jobs run at night, each further round costs a night.
 */
export function forecast(input: ForecastInput): Forecast {
  const { position, now, pace } = input;
  if (position.kind === 'waits_for_person') {
    const words = `No date can be expected while a person has to act: ${position.why}`;
    return { expectedAt: null, because: position.kind, words };
  }
  if (position.kind === 'on_hold') {
    const words = 'No date can be expected while the request is on hold.';
    return { expectedAt: null, because: position.kind, words };
  }
  const habit = habitOf(input.observed, pace);
  const rounds = roundsLeft(input.sessions, position);
  const end = lastRoundEnd({ position, rounds, habit }, now.getTime());
  const { retryMs } = pace.verification;
  return {
    expectedAt: new Date(end + retryMs),
    // Without a count the number of rounds is a guess, however well their length is known.
    confidence: input.sessions === null ? 'assumed' : habit.confidence,
    basis: basisOf({ habit, rounds, sessions: input.sessions, verificationMs: retryMs }),
  };
}

type OpenPosition = Exclude<ForecastPosition, { kind: 'waits_for_person' | 'on_hold' }>;

/** Before verification there is a round at least: sessions are not all that a job erases. */
function roundsLeft(sessions: number | null, position: OpenPosition): number {
  const counted = Math.ceil((sessions ?? 0) / SESSIONS_PER_ROUND);
  return position.kind === 'verifying' ? counted : Math.max(1, counted);
}

function lastRoundEnd(
  { position, rounds, habit }: { position: OpenPosition; rounds: number; habit: Habit },
  now: number,
): number {
  const isRunning = position.kind === 'running';
  let at = isRunning ? runningRoundEnd(habit, position, now) : Math.max(now, nextStepAt(position));
  // Verification that finds sessions asks for the next round at once.
  for (let left = isRunning ? rounds - 1 : rounds; left > 0; left -= 1) at = roundEnd(habit, at);
  return at;
}

/** Epoch ms. */
function nextStepAt(position: Exclude<OpenPosition, { kind: 'running' }>): number {
  if (position.kind === 'verifying') return position.nextLookAt.getTime();
  return position.notBefore === null ? 0 : position.notBefore.getTime();
}

function basisOf(options: {
  habit: Habit;
  rounds: number;
  sessions: number | null;
  verificationMs: number;
}): ForecastBasis {
  const { habit, rounds, sessions, verificationMs } = options;
  const { schedule, roundMs, sampleSize } = habit;
  const words = `${roundsText(rounds, sessions)} ${habitText(habit)}`;
  return { rounds, sessions, schedule, roundMs, percentile: PERCENTILE, sampleSize, verificationMs, words };
}

function roundsText(rounds: number, sessions: number | null): string {
  const needed = rounds === 1 ? '1 more round' : `${rounds} more rounds`;
  if (sessions === null) return `${needed}, as the sessions were not counted.`;
  return `${needed} for ${sessions} sessions; a round deletes at most ${SESSIONS_PER_ROUND}.`;
}

function habitText({ schedule, roundMs, sampleSize, confidence }: Habit): string {
  const minutes = `${Math.ceil(roundMs / 60_000)} minutes`;
  const since = schedule === 'nightly' ? 'after the midnight (UTC) it waits for' : 'after it was asked for';
  if (confidence === 'assumed') {
    return `A round is assumed to end ${minutes} ${since}; only ${sampleSize} finished ones were seen.`;
  }
  return `${PERCENTILE} % of the last ${sampleSize} rounds ended within ${minutes} ${since}.`;
}

/** A request ends with the last of its tasks; undefined without tasks. */
export function latestForecast(forecasts: readonly Forecast[]): Forecast | undefined {
  return forecasts.reduce<Forecast | undefined>((latest, next) => {
    if (latest === undefined) return next;
    if (latest.expectedAt === null) return latest;
    return next.expectedAt === null || next.expectedAt > latest.expectedAt ? next : latest;
  }, undefined);
}

/** Whether one night that is missed, as happens on real servers, would bring the end past the due date. */
export function atRisk(expectedAt: Date, dueOn: Day, calendar: Pick<Calendar, 'dayOf'>): boolean {
  return calendar.dayOf(new Date(expectedAt.getTime() + DAY_MS)) > dueOn;
}
