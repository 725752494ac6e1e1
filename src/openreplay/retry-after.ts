/** Nobody is kept waiting longer than this because a server said so. */
export const RETRY_AFTER_MAX_MS = 60 * 60 * 1000;

const SECONDS = /^-?\d+(?:\.\d+)?$/;
/** The three forms of RFC 9110, 5.6.7; `Date.parse` alone would take almost any word with a number. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [ \w-]+ \d{2}:\d{2}:\d{2}/;

/**
 * How long a `Retry-After` header (seconds or an HTTP date) asks to wait, in ms from `nowMs` (epoch ms): never
 * below 0, never above an hour. `undefined` when there is no header or it cannot be understood.
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const value = header?.trim() ?? '';
  if (SECONDS.test(value)) return bounded(Number(value) * 1000);
  if (!HTTP_DATE.test(value)) return undefined;
  const at = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : bounded(at - nowMs);
}

function bounded(waitMs: number): number {
  return Math.min(Math.max(Math.ceil(waitMs), 0), RETRY_AFTER_MAX_MS);
}
