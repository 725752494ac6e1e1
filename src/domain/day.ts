/**
 * A calendar day `YYYY-MM-DD` of the proleptic Gregorian calendar, years 0000 to 9999, without a time zone. As texts,
 * days sort as they follow each other.
 */
export type Day = `${string}-${string}-${string}`;

const DAY_MS = 86_400_000;
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Whether a text is a day that exists. */
export function isDay(text: string): text is Day {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const { year, month, date } = partsOf(text);
  return month >= 1 && month <= 12 && date >= 1 && date <= daysInMonth(year, month);
}

/** The day that starts this many days after 1970-01-01. Throws a RangeError outside the years 0000 to 9999. */
function dayOfNumber(days: number): Day {
  const text = new Date(days * DAY_MS).toISOString().slice(0, 10);
  // Years of more than four digits come with a sign.
  if (!isDay(text)) throw new RangeError('the day is outside the years 0000 to 9999');
  return text;
}

/** Days since 1970-01-01. UTC has no days of 23 or 25 hours, so this is exact. */
function numberOf(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`) / DAY_MS;
}

export function addDays(day: Day, days: number): Day {
  return dayOfNumber(numberOf(day) + days);
}

/** Whole days from `from` to `to`; negative when `to` comes first. */
export function daysBetween(from: Day, to: Day): number {
  return numberOf(to) - numberOf(from);
}

/** The same-numbered day of the month `months` later, or that month's last day where there is none. */
export function addMonths(day: Day, months: number): Day {
  const { year, month, date } = partsOf(day);
  const index = year * 12 + (month - 1) + months;
  const to = { year: Math.floor(index / 12), month: (index % 12) + 1 };
  const first = `${String(to.year).padStart(4, '0')}-${String(to.month).padStart(2, '0')}-01` as const;
  if (!isDay(first)) throw new RangeError('the day is outside the years 0000 to 9999');
  return addDays(first, Math.min(date, daysInMonth(to.year, to.month)) - 1);
}

export function weekdayOf(day: Day): Weekday {
  // 1970-01-01 was a Thursday; the remainder is negative before it.
  const index = (((numberOf(day) + 4) % 7) + 7) % 7;
  return WEEKDAYS[index] ?? 'Sunday';
}

function partsOf(text: string): { year: number; month: number; date: number } {
  return {
    year: Number(text.slice(0, 4)),
    month: Number(text.slice(5, 7)),
    date: Number(text.slice(8, 10)),
  };
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}
