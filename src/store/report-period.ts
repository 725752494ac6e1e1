import type { ReportFilter } from '../app/ports/reports.ts';
import type { Day } from '../domain/day.ts';

/** What the statements of reports have in common: days of each regulation's time zone. $1 to $5 are valuesOf(). */

const ZONE =
  "CASE regulation WHEN 'gdpr' THEN $1::text WHEN 'uk_gdpr' THEN $2::text WHEN 'ccpa' THEN $3::text END";

export const RECEIVED_ON = `(received_at AT TIME ZONE ${ZONE})::date`;
/** Null while it is not completed. */
export const COMPLETED_ON = `(completed_at AT TIME ZONE ${ZONE})::date`;
export const TODAY = `(now() AT TIME ZONE ${ZONE})::date`;

/** The first two are for the index: no time zone is a day away from UTC. */
export const RECEIVED_IN_PERIOD = `received_at >= ($4::date - 1)::timestamp AT TIME ZONE 'UTC'
  AND received_at < ($5::date + 2)::timestamp AT TIME ZONE 'UTC'
  AND ${RECEIVED_ON} BETWEEN $4::date AND $5::date`;

export function valuesOf({ from, to, timeZones }: ReportFilter): readonly [string, string, string, Day, Day] {
  return [timeZones.gdpr, timeZones.uk_gdpr, timeZones.ccpa, from, to];
}
