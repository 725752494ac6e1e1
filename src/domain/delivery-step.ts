import type { AttemptOutcome } from './callback.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The schedule of Standard Webhooks: how long after the failure before each attempt comes; the first comes at once. */
export const SCHEDULE_MS: readonly number[] = [
  0,
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** What follows from an attempt. */
export type DeliveryStep =
  | { readonly next: 'delivered' }
  /** Once more after so long. */
  | { readonly next: 'again'; readonly afterMs: number }
  /** No more attempts; with `gone`, the receiver wants no more of anything. */
  | { readonly next: 'failed'; readonly gone: boolean };

/** @param failedBefore attempts of this schedule that failed before this one */
export function deliveryStep(outcome: AttemptOutcome, failedBefore: number): DeliveryStep {
  if (outcome === 'delivered' || outcome === 'found') return { next: 'delivered' };
  if (outcome === 'gone') return { next: 'failed', gone: true };
  const afterMs = SCHEDULE_MS[failedBefore + 1];
  return afterMs === undefined ? { next: 'failed', gone: false } : { next: 'again', afterMs };
}
