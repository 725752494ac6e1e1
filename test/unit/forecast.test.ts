import { describe, expect, it } from '@jest/globals';
import type { Calendar } from '../../src/domain/calendar.ts';
import { createDayOf } from '../../src/calendar/day-of.ts';
import {
  atRisk,
  forecast,
  latestForecast,
  type Expected,
  type ForecastInput,
  type ForecastPosition,
} from '../../src/domain/forecast.ts';
import type { Pace } from '../../src/domain/pace.ts';
import type { ObservedRound } from '../../src/domain/round-habit.ts';

const MINUTE = 60_000;
const PACE: Pace = {
  polling: { minIntervalMs: 10_000, maxIntervalMs: 15 * MINUTE, fraction: 0.25 },
  verification: { settleMs: 7_200_000, retryMs: MINUTE, requireUserAbsent: true },
  retry: { baseMs: 2_000, maxMs: 900_000, patienceMs: 86_400_000, beforeDueMs: 259_200_000 },
  jobs: { overdueMs: 93_600_000, stalledMs: 180_000_000 },
  rounds: { max: 50, maxFailedJobs: 3 },
  waitForLiveMs: 0,
  sentinelAgesMs: [],
};
const NOW = new Date('2026-03-05T14:00:00Z');
const QUEUED: ForecastPosition = { kind: 'queued', notBefore: null };

/** Rounds submitted at 10:00 that ended these minutes after the midnight that follows. */
function nights(minutes: readonly number[], options?: { startAt: boolean }): ObservedRound[] {
  return minutes.map((after) => ({
    submittedAt: '2026-03-01T10:00:00Z',
    startAt: options?.startAt === true ? '2026-03-02T00:00:00Z' : null,
    endedAt: new Date(Date.parse('2026-03-02T00:00:00Z') + after * MINUTE).toISOString(),
  }));
}

function expected(input: Partial<ForecastInput>): Expected {
  const result = forecast({ position: QUEUED, sessions: 10, observed: [], now: NOW, pace: PACE, ...input });
  if (result.expectedAt === null) throw new Error(`unforeseeable: ${result.words}`);
  return result;
}

function at(input: Partial<ForecastInput>): string {
  return expected(input).expectedAt.toISOString();
}

describe('a connection without history', () => {
  it('is assumed to run its jobs in the night, at the latest time that is known, seen at the next look', () => {
    const { expectedAt, confidence, basis } = expected({ observed: nights([20, 20, 20, 20]) });
    // 00:00 + 65 minutes of the runner + 15 of polling + 1 of verification.
    expect(expectedAt.toISOString()).toBe('2026-03-06T01:21:00.000Z');
    expect(confidence).toBe('assumed');
    expect(basis).toMatchObject({ schedule: 'nightly', rounds: 1, sampleSize: 4, roundMs: 80 * MINUTE });
    expect(basis.words).toBe(
      '1 more round for 10 sessions; a round deletes at most 1000. A round is assumed to end 80 minutes after the ' +
        'midnight (UTC) it waits for; only 4 finished ones were seen.',
    );
  });
});

describe('rounds that ran at night', () => {
  // 1 to 10 in an odd order: the 90th percentile is 9, the mean would be 5.5 and the greatest 10.
  const observed = nights([7, 1, 10, 3, 9, 2, 8, 4, 6, 5]);

  it('are expected at their 90th percentile', () => {
    const { expectedAt, confidence, basis } = expected({ observed });
    expect(expectedAt.toISOString()).toBe('2026-03-06T00:10:00.000Z');
    expect(confidence).toBe('observed');
    expect(basis).toMatchObject({
      percentile: 90,
      roundMs: 9 * MINUTE,
      sampleSize: 10,
      verificationMs: MINUTE,
    });
    expect(basis.words).toContain(
      '90 % of the last 10 rounds ended within 9 minutes after the midnight (UTC)',
    );
  });

  it('are not moved by one night that was missed, as a mean would be', () => {
    expect(at({ observed: [...nights([1_450]), ...observed.slice(1)] })).toBe(
      new Date(Date.parse('2026-03-06T00:00:00Z') + 11 * MINUTE).toISOString(),
    );
  });

  it('count from the start that OpenReplay named, or else from the midnight after the submission', () => {
    const minutes = [7, 1, 10, 3, 9, 2, 8, 4, 6, 5];
    expect(at({ observed: nights(minutes, { startAt: true }) })).toBe(at({ observed }));
    const later = observed.map((round) => ({ ...round, startAt: '2026-03-02T00:00:30Z' }));
    expect(expected({ observed: later }).basis.roundMs).toBe(8.5 * MINUTE);
  });

  it('count the last 50 only', () => {
    const recent = nights(Array.from({ length: 50 }, () => 4));
    const { basis } = expected({ observed: [...recent, ...nights(Array.from({ length: 50 }, () => 600))] });
    expect([basis.sampleSize, basis.roundMs]).toEqual([50, 4 * MINUTE]);
  });

  it.each([
    [0, 1, '2026-03-06'],
    [1_000, 1, '2026-03-06'],
    [1_001, 2, '2026-03-07'],
    [2_500, 3, '2026-03-08'],
  ])('with %d sessions take %d of them, until %s', (sessions, rounds, day) => {
    expect(expected({ observed, sessions }).basis.rounds).toBe(rounds);
    expect(at({ observed, sessions })).toBe(`${day}T00:10:00.000Z`);
  });

  it('are a guess when the sessions were not counted', () => {
    const { confidence, basis } = expected({ observed, sessions: null });
    expect([confidence, basis.rounds]).toEqual(['assumed', 1]);
    expect(basis.words).toMatch(/^1 more round, as the sessions were not counted\./);
  });

  it('wait for the time of the next try', () => {
    const notBefore = new Date('2026-03-07T23:59:59Z');
    expect(at({ observed, position: { kind: 'queued', notBefore } })).toBe('2026-03-08T00:10:00.000Z');
    const past = new Date('2026-03-01T00:00:00Z');
    expect(at({ observed, position: { kind: 'queued', notBefore: past } })).toBe('2026-03-06T00:10:00.000Z');
  });

  it('that are submitted at midnight wait for the next one', () => {
    expect(at({ observed, now: new Date('2026-03-06T00:00:00Z') })).toBe('2026-03-07T00:10:00.000Z');
  });
});

describe('a round under way', () => {
  const observed = nights([9, 9, 9, 9, 9]);
  const submittedAt = new Date('2026-03-05T10:00:00Z');
  const running = (startAt: string | null): ForecastPosition => ({
    kind: 'running',
    submittedAt,
    startAt: startAt === null ? null : new Date(startAt),
  });

  it('ends in the night it waits for, and is one of those needed', () => {
    expect(at({ observed, position: running(null) })).toBe('2026-03-06T00:10:00.000Z');
    expect(at({ observed, position: running('2026-03-06T00:00:00Z') })).toBe('2026-03-06T00:10:00.000Z');
    expect(at({ observed, position: running(null), sessions: 1_001 })).toBe('2026-03-07T00:10:00.000Z');
  });

  it('is expected a night later when its run was missed', () => {
    const position = running('2026-03-06T00:00:00Z');
    expect(at({ observed, position, now: new Date('2026-03-06T00:08:59Z') })).toBe(
      '2026-03-06T00:10:00.000Z',
    );
    expect(at({ observed, position, now: new Date('2026-03-06T00:09:00Z') })).toBe(
      '2026-03-07T00:10:00.000Z',
    );
    expect(at({ observed, position, now: new Date('2026-03-08T12:00:00Z') })).toBe(
      '2026-03-09T00:10:00.000Z',
    );
  });
});

describe('a server that starts at once', () => {
  const observed = Array.from({ length: 5 }, (_, index) => ({
    submittedAt: '2026-03-01T10:00:00Z',
    startAt: null,
    endedAt: `2026-03-01T10:0${index + 1}:00Z`,
  }));

  it('is known by rounds that end before the night', () => {
    const { expectedAt, basis } = expected({ observed, sessions: 1_001 });
    expect(basis.schedule).toBe('at_once');
    expect(expectedAt.toISOString()).toBe('2026-03-05T14:11:00.000Z');
    expect(basis.words).toContain('within 5 minutes after it was asked for');
  });

  it('is taken to need as long again when a round takes longer', () => {
    const position: ForecastPosition = {
      kind: 'running',
      submittedAt: new Date('2026-03-05T13:00:00Z'),
      startAt: null,
    };
    expect(at({ observed, position })).toBe('2026-03-05T14:06:00.000Z');
  });
});

describe('verification', () => {
  const observed = nights([9, 9, 9, 9, 9]);
  const position: ForecastPosition = { kind: 'verifying', nextLookAt: new Date('2026-03-05T15:00:00Z') };

  it('ends at the next look, with room for another one', () => {
    expect(at({ observed, position, sessions: 0 })).toBe('2026-03-05T15:01:00.000Z');
    expect(at({ observed, position, sessions: null })).toBe('2026-03-05T15:01:00.000Z');
    expect(expected({ observed, position, sessions: 0 }).basis.rounds).toBe(0);
  });

  it('asks for further rounds where sessions are left', () => {
    expect(at({ observed, position, sessions: 1_001 })).toBe('2026-03-07T00:10:00.000Z');
  });
});

describe('what nobody can foresee', () => {
  const base = { sessions: 10, observed: [], now: NOW, pace: PACE };
  const held = forecast({ ...base, position: { kind: 'on_hold' } });

  it('says why', () => {
    expect(
      forecast({ ...base, position: { kind: 'waits_for_person', why: 'Identity is in doubt.' } }),
    ).toEqual({
      expectedAt: null,
      because: 'waits_for_person',
      words: 'No date can be expected while a person has to act: Identity is in doubt.',
    });
    expect(held).toMatchObject({ expectedAt: null, because: 'on_hold' });
  });

  it('makes a request unforeseeable; else its last task counts', () => {
    const early = expected({});
    const late = expected({ sessions: 5_000 });
    expect(latestForecast([early, late, early])).toBe(late);
    expect(latestForecast([late, held, late])).toBe(held);
    expect(latestForecast([])).toBeUndefined();
  });
});

it('is at risk when one missed night would bring it past the due date, in days of the controller', () => {
  const inZone = (timeZone: string): Calendar => ({
    timeZone,
    dayOf: createDayOf(timeZone),
    holidayName: () => undefined,
  });
  const end = new Date('2026-04-05T23:30:00Z');
  expect(atRisk(end, '2026-04-05', inZone('UTC'))).toBe(true);
  expect(atRisk(end, '2026-04-06', inZone('UTC'))).toBe(false);
  expect(atRisk(end, '2026-04-06', inZone('Europe/Berlin'))).toBe(true);
});
