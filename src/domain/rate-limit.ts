/** So many calls in each window of so many seconds. A window begins with the first call after the one before ended. */
export interface RateLimit {
  readonly requests: number;
  readonly perSeconds: number;
}

/** What one call has left of a limit. */
export interface Quota {
  readonly limit: RateLimit;
  /** Calls of this window so far, with this one and with those that were refused. */
  readonly used: number;
  /** Whole seconds until the window ends, at least 1. */
  readonly resetsInSeconds: number;
}

/** Whether the call is one too many. */
export function isExceeded({ used, limit }: Quota): boolean {
  return used > limit.requests;
}

/** Calls that the window still has room for. */
export function remainingOf({ used, limit }: Quota): number {
  return Math.max(0, limit.requests - used);
}
