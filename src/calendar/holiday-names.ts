import type Holidays from 'date-holidays';
import type { Day } from '../domain/day.ts';
import { wholeDaysOf } from './holiday-days.ts';

/**
 * Looks up names of public holidays, in English where there is such a name. Each year is computed once. Substitute and
 * observed days are holidays of their own, beside the day that they stand for.
 */
export function holidayNames(holidays: Holidays): (day: Day) => string | undefined {
  const years = new Map<number, ReadonlyMap<Day, string>>();
  const namesOf = (year: number): ReadonlyMap<Day, string> => {
    const names = years.get(year) ?? computeYear(holidays, year);
    years.set(year, names);
    return names;
  };
  return (day) => {
    const year = Number(day.slice(0, 4));
    const name = namesOf(year).get(day);
    // A holiday of several days that begins in December is listed under its first year only.
    return name ?? (day.slice(5, 7) === '01' ? namesOf(year - 1).get(day) : undefined);
  };
}

function computeYear(holidays: Holidays, year: number): ReadonlyMap<Day, string> {
  const names = new Map<Day, string>();
  for (const holiday of holidays.getHolidays(year, 'en')) {
    for (const day of wholeDaysOf(holiday)) if (!names.has(day)) names.set(day, holiday.name);
  }
  return names;
}
