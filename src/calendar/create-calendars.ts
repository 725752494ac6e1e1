import type { HolidaysTypes } from 'date-holidays';
import type { Calendar, CalendarSettings } from '../domain/calendar.ts';
import type { Day } from '../domain/day.ts';
import type { Regulation } from '../domain/regulation.ts';
import { createDayOf } from './day-of.ts';
import { holidayNames } from './holiday-names.ts';

/**
 * The calendar of each regulation. The settings are taken as checked by the configuration.
 *
 * date-holidays takes about half a second to load, so it is loaded here, by the processes that compute deadlines, and
 * only where a country is set.
 */
export async function createCalendars(
  settings: Readonly<Record<Regulation, CalendarSettings>>,
): Promise<Readonly<Record<Regulation, Calendar>>> {
  const [gdpr, ukGdpr, ccpa] = await Promise.all([
    createCalendar(settings.gdpr),
    createCalendar(settings.uk_gdpr),
    createCalendar(settings.ccpa),
  ]);
  return { gdpr, uk_gdpr: ukGdpr, ccpa };
}

async function createCalendar({ timeZone, country, subdivision }: CalendarSettings): Promise<Calendar> {
  const dayOf = createDayOf(timeZone);
  if (country === undefined) return { timeZone, dayOf, holidayName: () => undefined };
  return { timeZone, dayOf, holidayName: await holidayNamesOf(country, subdivision) };
}

async function holidayNamesOf(
  country: string,
  subdivision: string | undefined,
): Promise<(day: Day) => string | undefined> {
  const { default: Library } = await import('date-holidays');
  const [state = '', region = ''] = subdivision?.split('-') ?? [];
  return holidayNames(new Library(country, state, region, { types: daysOff(country) }));
}

/** What Britain calls bank holidays are its public holidays; elsewhere banks alone close on them. */
function daysOff(country: string): HolidaysTypes.HolidayType[] {
  return country === 'GB' ? ['bank', 'public'] : ['public'];
}
