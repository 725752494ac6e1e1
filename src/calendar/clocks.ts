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
  readonly timeZones: Readonly<Record<Regulation, string>>;
}

/** Clocks that are kept: an import of many rows has few days. */
const KEPT_MAX = 2_000;

/** Loads the holidays once they are needed: most processes compute no deadline. */
export function createClocks(settings: Readonly<Record<Regulation, CalendarSettings>>): Clocks {
  const days = {
    gdpr: createDayOf(settings.gdpr.timeZone),
    uk_gdpr: createDayOf(settings.uk_gdpr.timeZone),
    ccpa: createDayOf(settings.ccpa.timeZone),
  };
  let calendars: ReturnType<typeof createCalendars> | undefined;
  const kept = new Map<string, Clock>();
  return {
    timeZones: {
      gdpr: settings.gdpr.timeZone,
      uk_gdpr: settings.uk_gdpr.timeZone,
      ccpa: settings.ccpa.timeZone,
    },
    now: () => new Date(),
    dayOf: (regulation, at) => days[regulation](at),
    today: (regulation) => days[regulation](new Date()),
    clockFor: async (regulation, receivedAt) => {
      // A clock depends on nothing else but the day of receipt.
      const key = `${regulation} ${days[regulation](receivedAt)}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      calendars ??= createCalendars(settings);
      const clock = clockOf(regulation, { receivedAt, calendar: (await calendars)[regulation] });
      if (kept.size >= KEPT_MAX) kept.clear();
      kept.set(key, clock);
      return clock;
    },
  };
}
