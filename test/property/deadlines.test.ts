import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import fc from 'fast-check';

import { createCalendars } from '../../src/calendar/create-calendars.ts';
import type { Calendar } from '../../src/domain/calendar.ts';
import { addDays, addMonths, daysBetween, isDay, weekdayOf, type Day } from '../../src/domain/day.ts';
import { checkExtension, clockOf, daysLeft } from '../../src/domain/deadlines.ts';
import { REGULATIONS, type Regulation } from '../../src/domain/regulation.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const SETTINGS = {
  gdpr: { timeZone: 'Europe/Berlin', country: 'DE', subdivision: 'BY-A' },
  uk_gdpr: { timeZone: 'Europe/London', country: 'GB', subdivision: 'NIR' },
  ccpa: { timeZone: 'America/Los_Angeles', country: 'US', subdivision: 'CA' },
} as const;

let calendars: Readonly<Record<Regulation, Calendar>>;
beforeAll(async () => {
  calendars = await createCalendars(SETTINGS);
});

const regulation = fc.constantFrom(...REGULATIONS);
/** Few years, as each is computed once: 2024 is a leap year, 2025 and 2027 have substitute days. */
const moment = fc.date({
  min: new Date('2024-01-01T00:00:00Z'),
  max: new Date('2027-12-31T23:59:59Z'),
  noInvalidDate: true,
});

function clock(law: Regulation, receivedAt: Date) {
  return clockOf(law, { receivedAt, calendar: calendars[law] });
}

/** Whether people work on that day; as the tests see it, not by the code under test. */
function isWorkingDay(day: Day, law: Regulation): boolean {
  const weekday = new Date(`${day}T00:00:00Z`).getUTCDay();
  return weekday !== 0 && weekday !== 6 && calendars[law].holidayName(day) === undefined;
}

function daysUpTo(from: Day, to: Day): Day[] {
  return Array.from({ length: daysBetween(from, to) }, (_, index) => addDays(from, index));
}

describe('a clock', () => {
  it('never ends on a day off, nor before the unrolled date, and passes over days off only', () => {
    fc.assert(
      fc.property(regulation, moment, (law, receivedAt) => {
        const { unrolledDueOn, dueOn, extendedUnrolledDueOn, extendedDueOn, explanation } = clock(
          law,
          receivedAt,
        );
        for (const [unrolled, due, { passed }] of [
          [unrolledDueOn, dueOn, explanation.due],
          [extendedUnrolledDueOn, extendedDueOn, explanation.extended],
        ] as const) {
          expect(due >= unrolled).toBe(true);
          expect(isWorkingDay(due, law)).toBe(true);
          expect(passed.map(({ day }) => day)).toEqual(daysUpTo(unrolled, due));
          for (const { day } of passed) expect(isWorkingDay(day, law)).toBe(false);
        }
      }),
    );
  });

  it('never ends earlier for being extended, nor for a later receipt', () => {
    fc.assert(
      fc.property(
        regulation,
        moment,
        fc.integer({ min: 0, max: 40 * 86_400_000 }),
        (law, receivedAt, laterMs) => {
          const first = clock(law, receivedAt);
          const second = clock(law, new Date(receivedAt.getTime() + laterMs));
          expect(first.extendedDueOn >= first.dueOn).toBe(true);
          expect(second.dueOn >= first.dueOn).toBe(true);
          expect(second.extendedDueOn >= first.extendedDueOn).toBe(true);
          expect((second.confirmBy ?? '') >= (first.confirmBy ?? '')).toBe(true);
        },
      ),
    );
  });

  it('asks California to confirm within ten working days', () => {
    fc.assert(
      fc.property(moment, (receivedAt) => {
        const { receivedOn, confirmBy } = clock('ccpa', receivedAt);
        if (confirmBy === null) throw new Error('no day to confirm');
        const worked = daysUpTo(addDays(receivedOn, 1), addDays(confirmBy, 1));
        expect(worked.filter((day) => isWorkingDay(day, 'ccpa'))).toHaveLength(10);
        expect(isWorkingDay(confirmBy, 'ccpa')).toBe(true);
      }),
    );
  });

  it('may be extended exactly while days of the first period are left', () => {
    fc.assert(
      fc.property(regulation, moment, fc.integer({ min: 0, max: 120 }), (law, receivedAt, later) => {
        const received = clock(law, receivedAt);
        const today = addDays(received.receivedOn, later);
        const isAllowed = checkExtension(received, { today, isExtended: false }).kind === 'allowed';
        expect(isAllowed).toBe(daysLeft(received.dueOn, today) >= 0);
      }),
    );
  });
});

describe('days', () => {
  const day = fc
    .date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9990-12-31T00:00:00Z'),
      noInvalidDate: true,
    })
    .map((at): Day => {
      const text = at.toISOString().slice(0, 10);
      if (!isDay(text)) throw new Error(`${text} is no day`);
      return text;
    });

  it('agree with the arithmetic of Date', () => {
    const names = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
    fc.assert(
      fc.property(day, fc.integer({ min: -300, max: 3_000 }), (from, days) => {
        const date = new Date(`${from}T00:00:00Z`);
        expect(weekdayOf(from)).toBe(names[date.getUTCDay()]);
        if (days >= 0) expect(daysBetween(from, addDays(from, days))).toBe(days);
      }),
    );
  });

  it('months later are the same-numbered day, or the last one of its month', () => {
    fc.assert(
      fc.property(day, fc.integer({ min: 0, max: 60 }), (from, months) => {
        const to = addMonths(from, months);
        const index = Number(from.slice(0, 4)) * 12 + Number(from.slice(5, 7)) + months;
        expect(Number(to.slice(0, 4)) * 12 + Number(to.slice(5, 7))).toBe(index);
        if (to.slice(8) !== from.slice(8)) {
          expect(addDays(to, 1).slice(8)).toBe('01');
          expect(to.slice(8) < from.slice(8)).toBe(true);
        }
      }),
    );
  });
});

describe('a machine in another time zone', () => {
  /** Every 18 days and a quarter of a year, at all hours, changes of clocks included. */
  const moments = Array.from({ length: 20 }, (_, index) =>
    new Date(Date.parse('2026-01-01T00:30:00Z') + index * 18.3 * 86_400_000).toISOString(),
  );
  const PROGRAM = `
    import { createCalendars } from './src/calendar/create-calendars.ts';
    import { clockOf } from './src/domain/deadlines.ts';
    const { settings, moments } = JSON.parse(process.argv[2]);
    const calendars = await createCalendars(settings);
    const clocks = Object.entries(calendars).flatMap(([law, calendar]) =>
      moments.map((at) => clockOf(law, { receivedAt: new Date(at), calendar })),
    );
    process.stdout.write(JSON.stringify({ offset: new Date(moments[0]).getTimezoneOffset(), clocks }));
  `;
  let folder = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-deadlines-'));
    await build({
      stdin: { contents: PROGRAM, resolveDir: ROOT },
      outfile: join(folder, 'program.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      // As build.js does: bundled CommonJS still asks for Node's own modules with require.
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['Pacific/Kiritimati', -840],
    ['America/Los_Angeles', 480],
  ])('computes the same in %s', async (TZ, offset) => {
    const input = JSON.stringify({ settings: SETTINGS, moments });
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'program.mjs'), input], {
      env: { TZ },
    });
    const clocks = REGULATIONS.flatMap((law) => moments.map((at) => clock(law, new Date(at))));
    expect(JSON.parse(stdout)).toEqual({ offset, clocks });
  });
});
