import { text } from './fields.ts';
import { HOLIDAY_REGIONS } from './holiday-regions.ts';

/** The fields that say when days begin and which are days off. */
export const calendarFields = {
  timeZone: text('an IANA time zone such as Europe/Berlin', isTimeZone),
  country: text('a country of ISO 3166-1 whose holidays are known, in capitals, such as DE', isCountry),
  subdivision: text('a subdivision such as BY, or BY-A with a region (in quotes when only digits)', (value) =>
    /^[0-9A-Za-z]{1,12}(-[0-9A-Za-z]{1,12})?$/.test(value),
  ),
};

/** Names only: an offset such as +01:00 has no summer time. */
function isTimeZone(value: string): boolean {
  if (!/^[A-Za-z]/.test(value)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

/** Whether holidays of the country are known. */
export function isCountry(value: string): boolean {
  return Object.hasOwn(HOLIDAY_REGIONS, value);
}
