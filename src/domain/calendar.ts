import { addDays, weekdayOf, type Day } from './day.ts';

/** Where a controller's days begin and which of them are public holidays. */
export interface Calendar {
  /** IANA name. */
  readonly timeZone: string;
  /** The day that it is at this moment in the calendar's time zone. */
  dayOf(at: Date): Day;
  /** The name of the public holiday that makes the whole day a day off; Saturdays and Sundays are not its matter. */
  holidayName(day: Day): string | undefined;
}

/** What a calendar is made of; from configuration. */
export interface CalendarSettings {
  readonly timeZone: string;
  /** ISO 3166-1; `undefined`: weekends only. */
  readonly country: string | undefined;
  /** State, and region behind a `-`: `BY`, `BY-A`. */
  readonly subdivision: string | undefined;
}

/** A day on which no period ends. */
export interface DayOff {
  readonly day: Day;
  readonly kind: 'saturday' | 'sunday' | 'holiday';
  /** `Saturday`, `Sunday` or the holiday's name. */
  readonly name: string;
}

/** A working day, and the days off that were passed over to reach it. */
export interface WorkingDay {
  readonly day: Day;
  readonly passed: readonly DayOff[];
}

/** No country has so many days off in a row; without an end a broken calendar would hang the process. */
const MAX_DAYS_OFF = 60;

function dayOffAt(day: Day, calendar: Calendar): DayOff | undefined {
  const weekday = weekdayOf(day);
  if (weekday === 'Saturday') return { day, kind: 'saturday', name: weekday };
  if (weekday === 'Sunday') return { day, kind: 'sunday', name: weekday };
  const name = calendar.holidayName(day);
  return name === undefined ? undefined : { day, kind: 'holiday', name };
}

/** The day itself where it is a working day, else the next one. */
export function rollForward(day: Day, calendar: Calendar): WorkingDay {
  const passed: DayOff[] = [];
  for (let at = day; passed.length <= MAX_DAYS_OFF; at = addDays(at, 1)) {
    const off = dayOffAt(at, calendar);
    if (off === undefined) return { day: at, passed };
    passed.push(off);
  }
  throw new Error(`the calendar has more than ${MAX_DAYS_OFF} days off in a row from ${day}`);
}

/** The `count`-th working day (from 1) after `day`, which is not counted itself. */
export function addWorkingDays(day: Day, count: number, calendar: Calendar): WorkingDay {
  const passed: DayOff[] = [];
  let at = day;
  for (let counted = 0; counted < count; counted += 1) {
    const next = rollForward(addDays(at, 1), calendar);
    passed.push(...next.passed);
    at = next.day;
  }
  return { day: at, passed };
}
