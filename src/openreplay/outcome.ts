import { z } from 'zod';
import type { CallFailure, Outcome } from '../domain/openreplay.ts';
import { readJson } from './read-json.ts';
import type { Reader } from './reading.ts';
import { parseRetryAfter } from './retry-after.ts';
import type { TransportAnswer } from './transport.ts';

export function failed(failure: CallFailure): { readonly ok: false; readonly failure: CallFailure } {
  return { ok: false, failure };
}

/** What an answer means; `nowMs` (epoch ms) is the moment that a date in `Retry-After` is counted from. */
export function outcomeOf<T>(answer: TransportAnswer, read: Reader<T>, nowMs: number): Outcome<T> {
  const { status, text } = answer;
  if (status < 200 || status > 299) return failed(failureOfStatus(answer, nowMs));
  const value = text === undefined ? undefined : read(readJson(text));
  return value === undefined ? failed({ kind: 'unreadable', status }) : { ok: true, value };
}

function failureOfStatus({ status, retryAfter }: TransportAnswer, nowMs: number): CallFailure {
  switch (status) {
    case 401:
      return { kind: 'unauthorized' };
    case 404:
      return { kind: 'not_found' };
    case 409:
      return { kind: 'conflict' };
    case 429:
      return { kind: 'rate_limited', retryAfterMs: parseRetryAfter(retryAfter, nowMs) };
    default:
      return failureOfClass(status);
  }
}

function failureOfClass(status: number): CallFailure {
  if (status >= 300 && status < 400) return { kind: 'redirected', status };
  if (status >= 400 && status < 500) return { kind: 'rejected', status };
  return { kind: 'server_error', status };
}

/** 402 and 403 come from editions without the feature, 404 from servers without its service. */
const NOT_OFFERED: ReadonlySet<number> = new Set([402, 403, 404]);
const detailed = z.object({ detail: z.string(), data: z.undefined().optional() });
const NOT_OFFERED_DETAIL = /\bnot (?:found|allowed|available|implemented|supported)\b/i;

/**
 * Whether an answer to a question about live sessions says that this server does not offer them: by its status,
 * or by a body such as `{"detail": "Not Found"}`, whatever its status (of 401, 429 and 5xx only the status counts).
 */
export function saysNotOffered({ status, text }: TransportAnswer): boolean {
  if (NOT_OFFERED.has(status)) return true;
  if (status >= 500 || status === 401 || status === 429 || text === undefined) return false;
  const read = detailed.safeParse(readJson(text));
  return read.success && NOT_OFFERED_DETAIL.test(read.data.detail);
}
