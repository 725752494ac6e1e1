import { isDay, type Day } from '../domain/day.ts';

/** A function that says which day it is at a moment in `timeZone`; the machine's own time zone plays no part. */
export function createDayOf(timeZone: string): (at: Date) => Day {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
    const year = (parts.get('year') ?? '').padStart(4, '0');
    const day = `${year}-${parts.get('month') ?? ''}-${parts.get('day') ?? ''}` as const;
    if (!isDay(day)) throw new RangeError('the moment is outside the years 0000 to 9999');
    return day;
  };
}
