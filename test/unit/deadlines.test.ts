import { beforeAll, describe, expect, it } from '@jest/globals';

import { createCalendars } from '../../src/calendar/create-calendars.ts';
import type { Calendar, CalendarSettings } from '../../src/domain/calendar.ts';
import { addDays, addMonths, daysBetween, isDay, weekdayOf, type Day } from '../../src/domain/day.ts';
import { checkExtension, clockOf, daysLeft, type Clock } from '../../src/domain/deadlines.ts';
import type { Regulation } from '../../src/domain/regulation.ts';

const PLACES = {
  weekends: { timeZone: 'UTC', country: undefined, subdivision: undefined },
  berlin: { timeZone: 'Europe/Berlin', country: 'DE', subdivision: 'BE' },
  brandenburg: { timeZone: 'Europe/Berlin', country: 'DE', subdivision: 'BB' },
  augsburg: { timeZone: 'Europe/Berlin', country: 'DE', subdivision: 'BY-A' },
  vienna: { timeZone: 'Europe/Vienna', country: 'AT', subdivision: undefined },
  england: { timeZone: 'Europe/London', country: 'GB', subdivision: 'ENG' },
  scotland: { timeZone: 'Europe/London', country: 'GB', subdivision: 'SCT' },
  california: { timeZone: 'America/Los_Angeles', country: 'US', subdivision: 'CA' },
  copenhagen: { timeZone: 'Europe/Copenhagen', country: 'DK', subdivision: undefined },
  yerevan: { timeZone: 'Asia/Yerevan', country: 'AM', subdivision: undefined },
  mbabane: { timeZone: 'Africa/Mbabane', country: 'SZ', subdivision: undefined },
} as const satisfies Record<string, CalendarSettings>;
type Place = keyof typeof PLACES;

const calendars = new Map<Place, Calendar>();
beforeAll(async () => {
  for (const place of Object.keys(PLACES)) {
    if (!isPlace(place)) continue;
    const settings = PLACES[place];
    const { gdpr } = await createCalendars({ gdpr: settings, uk_gdpr: settings, ccpa: settings });
    calendars.set(place, gdpr);
  }
});

function isPlace(name: string): name is Place {
  return name in PLACES;
}

function calendarOf(place: Place): Calendar {
  const calendar = calendars.get(place);
  if (calendar === undefined) throw new Error(`no calendar of ${place}`);
  return calendar;
}

/** The clock of a request received at noon UTC, or at the moment given. */
function clock(regulation: Regulation, place: Place, received: string): Clock {
  const receivedAt = new Date(received.length === 10 ? `${received}T12:00:00Z` : received);
  return clockOf(regulation, { receivedAt, calendar: calendarOf(place) });
}

describe('days', () => {
  it.each([
    ['2026-01-31', 1, '2026-02-28'],
    ['2028-01-31', 1, '2028-02-29'],
    ['1900-01-31', 1, '1900-02-28'],
    ['2000-01-31', 1, '2000-02-29'],
    ['2026-08-31', 1, '2026-09-30'],
    ['2026-12-31', 1, '2027-01-31'],
    ['2025-11-30', 3, '2026-02-28'],
    ['2026-03-31', -1, '2026-02-28'],
    ['0001-01-31', 1, '0001-02-28'],
    ['9999-11-30', 1, '9999-12-30'],
  ] as const)('%s and %d months is %s', (day, months, expected) => {
    expect(addMonths(day, months)).toBe(expected);
  });

  it.each([
    ['2026-02-28', 1, '2026-03-01'],
    ['2026-03-05', 45, '2026-04-19'],
    ['2028-02-29', -366, '2027-02-28'],
    ['0099-12-31', 1, '0100-01-01'],
  ] as const)('%s and %d days is %s', (day, days, expected) => {
    expect(addDays(day, days)).toBe(expected);
    expect(daysBetween(day, expected)).toBe(days);
  });

  it.each([
    ['2026-03-05', 'Thursday'],
    ['1970-01-01', 'Thursday'],
    ['1969-12-28', 'Sunday'],
    ['0001-01-01', 'Monday'],
  ] as const)('%s was a %s', (day, weekday) => {
    expect(weekdayOf(day)).toBe(weekday);
  });

  it.each([
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-04-31',
    '2026-4-1',
    '02026-04-01',
    '2026-04-01Z',
    '',
  ])('%j is none', (text) => {
    expect(isDay(text)).toBe(false);
  });

  it('end with the year 9999', () => {
    expect(() => addDays('9999-12-31', 1)).toThrow(RangeError);
    expect(() => addMonths('9999-12-31', 1)).toThrow(RangeError);
  });
});

/** Place, received, due, extended. */
const ROWS: readonly (readonly [Regulation, Place, string, Day, Day])[] = [
  ['gdpr', 'weekends', '2026-03-05', '2026-04-06', '2026-06-05'],
  ['gdpr', 'berlin', '2026-03-05', '2026-04-07', '2026-06-05'],
  ['gdpr', 'vienna', '2026-03-05', '2026-04-07', '2026-06-05'],
  ['uk_gdpr', 'england', '2026-03-05', '2026-04-07', '2026-06-05'],
  // Easter Monday is no bank holiday in Scotland.
  ['uk_gdpr', 'scotland', '2026-03-05', '2026-04-06', '2026-06-05'],
  ['gdpr', 'berlin', '2026-01-31', '2026-03-02', '2026-04-30'],
  ['uk_gdpr', 'england', '2026-01-31', '2026-03-02', '2026-04-30'],
  ['gdpr', 'berlin', '2026-08-31', '2026-09-30', '2026-11-30'],
  ['uk_gdpr', 'england', '2026-08-31', '2026-09-30', '2026-11-30'],
  // Saint Andrew's Day.
  ['uk_gdpr', 'scotland', '2026-08-31', '2026-09-30', '2026-12-01'],
  ['gdpr', 'berlin', '2025-11-30', '2025-12-30', '2026-03-02'],
  ['uk_gdpr', 'england', '2025-11-30', '2025-12-30', '2026-03-02'],
  ['gdpr', 'berlin', '2026-12-01', '2027-01-04', '2027-03-01'],
  ['uk_gdpr', 'england', '2026-12-01', '2027-01-04', '2027-03-01'],
  // Substitutes: 2 January 2027 is a Saturday, so Monday is off in Scotland; Christmas 2027 falls on a weekend.
  ['uk_gdpr', 'scotland', '2026-12-01', '2027-01-05', '2027-03-01'],
  ['uk_gdpr', 'england', '2027-11-25', '2027-12-29', '2028-02-25'],
];

describe('GDPR and UK GDPR', () => {
  it.each(ROWS)('%s in %s, received %s: due %s, extended %s', (...row) => {
    const [regulation, place, received, due, extended] = row;
    const { dueOn, extendedDueOn, extendBy, confirmBy } = clock(regulation, place, received);
    expect([dueOn, extendedDueOn]).toEqual([due, extended]);
    expect([extendBy, confirmBy]).toEqual([due, null]);
  });

  it('explain every day that is passed over', () => {
    const { unrolledDueOn, explanation } = clock('gdpr', 'berlin', '2026-03-05');
    expect(unrolledDueOn).toBe('2026-04-05');
    expect(explanation.due).toMatchObject({
      source: 'GDPR Art. 12(3); Regulation (EEC, Euratom) No 1182/71 Art. 3(1), 3(2)(c) and 3(4)',
      receivedOn: '2026-03-05',
      countedTo: '2026-04-05',
      passed: [
        { day: '2026-04-05', kind: 'sunday', name: 'Sunday' },
        { day: '2026-04-06', kind: 'holiday', name: 'Easter Monday' },
      ],
      result: '2026-04-07',
    });
    expect(explanation.due.words).toBe(
      'Received on Thursday 2026-03-05 in the time zone Europe/Berlin. The day of receipt is not counted; one month ' +
        "later the period ends with the same-numbered day of the next month, or with that month's last day where " +
        'there is none; a period that would end on a Saturday, Sunday or public holiday ends with the next working ' +
        'day. Counted to Sunday 2026-04-05. Passed over: 2026-04-05 (Sunday), 2026-04-06 (Easter Monday). Result: ' +
        'the end of Tuesday 2026-04-07. Source: GDPR Art. 12(3); Regulation (EEC, Euratom) No 1182/71 Art. 3(1), ' +
        '3(2)(c) and 3(4).',
    );
    expect(explanation.extended.words).toContain(
      'No day off is passed over. Result: the end of Friday 2026-06-05.',
    );
    expect(explanation.confirm).toBeNull();
  });

  it('UK GDPR counts from the day of receipt to the corresponding date', () => {
    const { due } = clock('uk_gdpr', 'england', '2026-03-05').explanation;
    expect(due.rule).toMatch(/^The period runs from the day of receipt to the corresponding calendar date/);
    expect(due.source).toMatch(/^UK GDPR/);
    expect(due.passed.map(({ kind }) => kind)).toEqual(['sunday', 'holiday']);
  });

  it('take the day of receipt in the time zone of the controller', () => {
    // Both are 23:30 in Berlin, in winter and in summer.
    expect(clock('gdpr', 'berlin', '2026-02-10T22:30:00Z').receivedOn).toBe('2026-02-10');
    expect(clock('gdpr', 'berlin', '2026-07-10T21:30:00Z').receivedOn).toBe('2026-07-10');
    // Half past midnight there, still the day before in UTC.
    const late = '2026-01-30T23:30:00Z';
    expect(clock('gdpr', 'berlin', late)).toMatchObject({
      receivedOn: '2026-01-31',
      unrolledDueOn: '2026-02-28',
    });
    expect(clock('gdpr', 'weekends', late)).toMatchObject({ receivedOn: '2026-01-30' });
    expect(clock('ccpa', 'california', '2026-07-11T06:59:59Z').receivedOn).toBe('2026-07-10');
  });
});

describe('CCPA', () => {
  // Received, 45 days unrolled and rolled, 90 days unrolled and rolled, 10 business days.
  it.each([
    // Friday; Presidents' Day is among the business days' gaps.
    ['2026-02-06', '2026-03-23', '2026-03-23', '2026-05-07', '2026-05-07', '2026-02-23'],
    // Thursday + 45 is a Sunday.
    ['2026-03-05', '2026-04-19', '2026-04-20', '2026-06-03', '2026-06-03', '2026-03-19'],
    // 45: Monday 6 July. 90: Thursday 20 August. Memorial Day is no business day.
    ['2026-05-22', '2026-07-06', '2026-07-06', '2026-08-20', '2026-08-20', '2026-06-08'],
    // 45: Friday 3 July, when Independence Day is observed, then the weekend.
    ['2026-05-19', '2026-07-03', '2026-07-06', '2026-08-17', '2026-08-17', '2026-06-03'],
    // 90: Thanksgiving, the day after it, the weekend.
    ['2026-08-28', '2026-10-12', '2026-10-12', '2026-11-26', '2026-11-30', '2026-09-14'],
  ])('received %s', (...row) => {
    const [received, unrolled, due, extendedUnrolled, extended, confirm] = row;
    expect(clock('ccpa', 'california', received)).toMatchObject({
      unrolledDueOn: unrolled,
      dueOn: due,
      extendBy: due,
      extendedUnrolledDueOn: extendedUnrolled,
      extendedDueOn: extended,
      confirmBy: confirm,
    });
  });

  it('explains the confirmation', () => {
    const { confirm } = clock('ccpa', 'california', '2026-02-06').explanation;
    expect(confirm?.words).toContain("2026-02-16 (Presidents' Day)");
    expect(confirm?.source).toBe('Cal. Code Regs. tit. 11, 7021(a)');
  });
});

describe('days off', () => {
  it('are whole days only', () => {
    // Christmas Eve and New Year's Eve from 14:00 are listed as bank holidays.
    expect(calendarOf('berlin').holidayName('2026-12-24')).toBeUndefined();
    expect(calendarOf('berlin').holidayName('2026-12-31')).toBeUndefined();
    expect(calendarOf('berlin').holidayName('2026-12-25')).toBe('Christmas Day');
    // Constitution Day is an observance, no public holiday.
    expect(calendarOf('copenhagen').holidayName('2026-06-05')).toBeUndefined();
    // A state's day, and a city's.
    expect(calendarOf('berlin').holidayName('2027-03-08')).toBe("International Women's Day");
    expect(calendarOf('augsburg').holidayName('2027-03-08')).toBeUndefined();
    expect(calendarOf('augsburg').holidayName('2027-08-08')).toBeDefined();
  });

  it('include the day of the change of clocks, substitutes and observed days of the next year', () => {
    // Clocks went forward on Easter Sunday of 2024, so that it had 23 hours.
    expect(calendarOf('brandenburg').holidayName('2024-03-31')).toBe('Easter Sunday');
    expect(calendarOf('brandenburg').holidayName('2024-04-01')).toBe('Easter Monday');
    expect(calendarOf('england').holidayName('2026-12-28')).toBe('Boxing Day (substitute day)');
    expect(calendarOf('california').holidayName('2026-07-03')).toBe('Independence Day (substitute day)');
    expect(calendarOf('california').holidayName('2027-12-31')).toBe("New Year's Day (substitute day)");
  });

  it('include each day of a holiday of several days, across the end of a year too', () => {
    const yerevan = calendarOf('yerevan');
    expect(
      ['2026-01-03', '2026-01-04', '2026-01-05'].map((day) => (isDay(day) ? yerevan.holidayName(day) : day)),
    ).toEqual(Array.from({ length: 3 }, () => 'Pre-Christmas holidays'));
    expect(calendarOf('mbabane').holidayName('2027-01-02')).toBe('Incwala Festival');
    expect(calendarOf('mbabane').holidayName('2027-01-04')).toBeUndefined();
  });

  it('without an end are an error, not a process that hangs', () => {
    const closed: Calendar = { timeZone: 'UTC', dayOf: () => '2026-03-05', holidayName: () => 'Strike' };
    expect(() => clockOf('gdpr', { receivedAt: new Date(), calendar: closed })).toThrow(
      /more than 60 days off/,
    );
  });
});

describe('extensions', () => {
  const received = () => clock('gdpr', 'berlin', '2026-03-05');

  it('may be noticed up to and including the due date of the first period', () => {
    const allowed = { kind: 'allowed', extendedDueOn: '2026-06-05' };
    expect(checkExtension(received(), { today: '2026-03-05', isExtended: false })).toEqual(allowed);
    expect(checkExtension(received(), { today: '2026-04-07', isExtended: false })).toEqual(allowed);
    expect(checkExtension(received(), { today: '2026-04-08', isExtended: false })).toEqual({
      kind: 'too_late',
      extendBy: '2026-04-07',
    });
  });

  it('are given once', () => {
    expect(checkExtension(received(), { today: '2026-03-06', isExtended: true })).toEqual({
      kind: 'already_extended',
    });
  });
});

it.each([
  ['2026-04-07', '2026-04-01', 6],
  ['2026-04-07', '2026-04-07', 0],
  ['2026-04-07', '2026-04-08', -1],
  // Clocks go forward in between.
  ['2026-03-30', '2026-03-28', 2],
] as const)('due %s, today %s: %d days left', (dueOn, today, days) => {
  expect(daysLeft(dueOn, today)).toBe(days);
});
