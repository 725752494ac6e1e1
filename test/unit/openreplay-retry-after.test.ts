import { describe, expect, it } from '@jest/globals';
import { parseRetryAfter, RETRY_AFTER_MAX_MS } from '../../src/openreplay/retry-after.ts';

const NOW = Date.UTC(2026, 6, 1, 12, 0, 0);

describe('parseRetryAfter', () => {
  it.each([
    ['0', 0],
    ['7', 7_000],
    [' 7 ', 7_000],
    ['1.5', 1_500],
    ['-30', 0],
    ['999999999999999999999', RETRY_AFTER_MAX_MS],
    ['Wed, 01 Jul 2026 12:00:30 GMT', 30_000],
    ['Wednesday, 01-Jul-26 12:00:30 GMT', 30_000],
    ['Wed Jul  1 12:00:30 2026', 30_000],
    ['Wed, 01 Jul 2026 11:00:00 GMT', 0],
    ['Thu, 02 Jul 2026 12:00:00 GMT', RETRY_AFTER_MAX_MS],
  ])('understands %s', (header, waitMs) => {
    expect(parseRetryAfter(header, NOW)).toBe(waitMs);
  });

  it.each([
    undefined,
    '',
    'soon',
    'in 5',
    '5 seconds',
    '2026-07-01',
    'Wed, 99 Foo 2026 12:00:30 GMT',
    'NaN',
    'Infinity',
    '1e3',
  ])('does not guess at %s', (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined();
  });
});
