import type { CalendarSettings } from '../domain/calendar.ts';
import type { Day } from '../domain/day.ts';
import { clockOf, type Clock } from '../domain/deadlines.ts';
import type { Regulation } from '../domain/regulation.ts';
import { createCalendars } from './create-calendars.ts';
import { createDayOf } from './day-of.ts';

/** The statutory clocks, by the configured calendars. */
export interface Clocks {
  now(): Date;
  /** The day that it is at that time in the time zone of a regulation's deadlines. */
  dayOf(regulation: Regulation, at: Date): Day;
  /** The day that it is now. */
  today(regulation: Regulation): Day;
  clockFor(regulation: Regulation, receivedAt: Date): Promise<Clock>;
}

/** Loads the holidays once they are needed: most processes compute no deadline. */
export function createClocks(settings: Readonly<Record<Regulation, CalendarSettings>>): Clocks {
  const days = {
    gdpr: createDayOf(settings.gdpr.timeZone),
    uk_gdpr: createDayOf(settings.uk_gdpr.timeZone),
    ccpa: createDayOf(settings.ccpa.timeZone),
  };
  let calendars: ReturnType<typeof createCalendars> | undefined;
  return {
    now: () => new Date(),
    dayOf: (regulation, at) => days[regulation](at),
    today: (regulation) => days[regulation](new Date()),
    clockFor: async (regulation, receivedAt) => {
      calendars ??= createCalendars(settings);
      return clockOf(regulation, { receivedAt, calendar: (await calendars)[regulation] });
    },
  };
}
