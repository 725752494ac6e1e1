import type { CalendarSettings } from '../domain/calendar.ts';
import { REGULATIONS, type Regulation } from '../domain/regulation.ts';
import { isCountry } from './calendar-fields.ts';
import type { Mistake } from './environment.ts';
import type { ConfigFile } from './file-schema.ts';
import { HOLIDAY_REGIONS } from './holiday-regions.ts';
import { valueAt } from './plain-tree.ts';
import type { ConfigPath } from './problem.ts';

/** UK GDPR and CCPA are laws of one place, whose holidays count; the GDPR's country is the controller's. */
const HOME: Readonly<Partial<Record<Regulation, { country: string; subdivision: string }>>> = {
  uk_gdpr: { country: 'GB', subdivision: 'ENG' },
  ccpa: { country: 'US', subdivision: 'CA' },
};

type CalendarSection = ConfigFile['calendar'];

/** The calendar of each regulation: its own fields, else those of its home, else those of the section. */
export function calendarsOf({
  regulations,
  ...common
}: CalendarSection): Readonly<Record<Regulation, CalendarSettings>> {
  const settingsOf = (regulation: Regulation): CalendarSettings => {
    const own = regulations[regulation];
    return { timeZone: own.timeZone ?? common.timeZone, ...placeOf(own, HOME[regulation] ?? common) };
  };
  return { gdpr: settingsOf('gdpr'), uk_gdpr: settingsOf('uk_gdpr'), ccpa: settingsOf('ccpa') };
}

interface Place {
  readonly country?: string | undefined;
  readonly subdivision?: string | undefined;
}

/** A country given anew does not take over the subdivision of another one. */
function placeOf(own: Place, inherited: Place): Pick<CalendarSettings, 'country' | 'subdivision'> {
  if (own.country !== undefined) return { country: own.country, subdivision: own.subdivision };
  return { country: inherited.country, subdivision: own.subdivision ?? inherited.subdivision };
}

/** Subdivisions that their country does not have; wrong countries are said elsewhere. */
export function strayCalendarSubdivisions(content: unknown): Mistake[] {
  const common: ConfigPath = ['calendar'];
  const inherited = placeAt(content, common);
  return [
    ...straySubdivision(content, common, {}),
    ...REGULATIONS.flatMap((regulation) =>
      straySubdivision(content, ['calendar', 'regulations', regulation], HOME[regulation] ?? inherited),
    ),
  ];
}

function straySubdivision(content: unknown, section: ConfigPath, inherited: Place): Mistake[] {
  const own = placeAt(content, section);
  // Where nothing is said, a mistake is that of the section it comes from.
  if (own.subdivision === undefined) return [];
  const { country, subdivision } = placeOf(own, inherited);
  const path = [...section, 'subdivision'];
  if (country === undefined) return [{ path, expected: 'a country beside it' }];
  if (!isCountry(country) || subdivision === undefined) return [];
  const known = (HOLIDAY_REGIONS[country] ?? '').split(' ');
  if (known.includes(subdivision)) return [];
  const expected =
    known[0] === '' ? `no subdivision: ${country} has none` : `one of ${country}'s: ${known.join(', ')}`;
  return [{ path, expected }];
}

function placeAt(content: unknown, section: ConfigPath): Place {
  return {
    country: textAt(content, [...section, 'country']),
    subdivision: textAt(content, [...section, 'subdivision']),
  };
}

function textAt(content: unknown, path: ConfigPath): string | undefined {
  const value = valueAt(content, path);
  return typeof value === 'string' ? value : undefined;
}
