import type { HolidaysTypes } from 'date-holidays';
import { addDays, isDay, type Day } from '../domain/day.ts';

const HOUR_MS = 3_600_000;

/**
 * The whole days that a holiday makes free: some last several days, and some begin at noon, on whose day people can
 * still act. Its own local date is read, not its instants: those are in the time zone of the country, which need not
 * be the controller's.
 */
export function wholeDaysOf({
  date,
  start,
  end,
}: Pick<HolidaysTypes.Holiday, 'date' | 'start' | 'end'>): Day[] {
  const first = date.slice(0, 10);
  if (!isDay(first)) throw new Error(`date-holidays gave a date that is none: ${date}`);
  const startHour = Number(date.slice(11, 13));
  const hours = (end.getTime() - start.getTime()) / HOUR_MS;
  const skipped = startHour === 0 ? 0 : 1;
  // The day on which clocks go forward has 23 hours.
  const until = Math.floor((startHour + hours + 1) / 24);
  return Array.from({ length: Math.max(0, until - skipped) }, (_, index) => addDays(first, skipped + index));
}
