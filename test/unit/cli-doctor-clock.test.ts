import { describe, expect, it } from '@jest/globals';
import { judgeClocks } from '../../src/cli/doctor/clock.ts';
import type { ClockReading } from '../../src/cli/doctor/finding.ts';

const HOUR = 3_600_000;

function database(offsetMs: number, sameMachine = false): ClockReading {
  return { whose: 'the database', offsetMs, sameMachine };
}
function openReplay(offsetMs: number): ClockReading {
  return { whose: 'OpenReplay (default)', offsetMs, sameMachine: false };
}

describe('of clocks that differ, doctor says which is wrong where that can be told', () => {
  it.each([
    ['all agree', [database(40), openReplay(-800)], 'ok', /agrees with the database and OpenReplay/],
    ['a network that is slow', [database(4_000)], 'ok', /agrees with the database/],
    [
      'ours is behind two that agree',
      [database(2 * HOUR + 5 * 60_000), openReplay(2 * HOUR + 5 * 60_000 + 900)],
      'fail',
      /clock of this machine is wrong: the database is 2 h 5 min ahead of, OpenReplay \(default\) is 2 h 5 min ahead of it/,
    ],
    [
      'that of OpenReplay alone',
      [database(0), openReplay(-HOUR)],
      'fail',
      /OpenReplay \(default\) is 1 h behind this machine, which agrees with the database/,
    ],
    [
      'that of the database alone',
      [database(25 * HOUR), openReplay(0)],
      'fail',
      /the database is 1 d 1 h ahead of this machine, which agrees with OpenReplay/,
    ],
    ['by seconds only', [database(0), openReplay(20_000)], 'warn', /20 s ahead/],
    [
      'a database on this machine is no witness',
      [database(0, true), openReplay(HOUR)],
      'fail',
      /cannot be told which/,
    ],
    [
      'two that differ from each other as well',
      [database(HOUR), openReplay(-HOUR)],
      'fail',
      /cannot be told which/,
    ],
    ['nothing to compare with', [], 'warn', /no other clock/],
  ] as const)('%s', (...[, readings, verdict, saw]) => {
    const finding = judgeClocks(readings);
    expect(finding.verdict).toBe(verdict);
    expect(finding.saw).toMatch(saw);
    expect(finding.todo === null).toBe(verdict === 'ok');
  });
});
