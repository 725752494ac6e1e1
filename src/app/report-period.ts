import { addMonths, isDay, type Day } from '../domain/day.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import type { Deps } from './ports.ts';
import type { ReportFilter } from './ports/reports.ts';

/** Days of receipt, both included; what is left out is as `reportFilter` says. */
export interface ReportPeriod {
  readonly from?: Day | undefined;
  readonly to?: Day | undefined;
}

/** So many months before that of the last day: with it, a year of whole months. */
const MONTHS_BEFORE = 11;

/** Up to today, wherever a regulation's day is the furthest, and the twelve months that end then. */
export function reportFilter(
  { today, timeZones }: Pick<Deps, 'today' | 'timeZones'>,
  { from, to }: ReportPeriod,
): ReportFilter {
  const latest = REGULATIONS.map((regulation) => today(regulation)).reduce((a, b) => (a > b ? a : b));
  const last = to ?? latest;
  return { from: from ?? firstDay(addMonths(last, -MONTHS_BEFORE)), to: last, timeZones };
}

function firstDay(day: Day): Day {
  const first = `${day.slice(0, 7)}-01`;
  if (!isDay(first)) throw new RangeError('a month without a first day');
  return first;
}
