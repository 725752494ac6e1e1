import { addWorkingDays, rollForward, type Calendar, type DayOff, type WorkingDay } from './calendar.ts';
import { addDays, addMonths, daysBetween, weekdayOf, type Day } from './day.ts';
import type { Regulation } from './regulation.ts';

/** How a day was computed: to be shown, and to be checked by hand. */
export interface Explanation {
  /** The rule in words. */
  readonly rule: string;
  /** Where the rule stands. */
  readonly source: string;
  readonly receivedOn: Day;
  /** Where the counting ends, before days off are passed over. */
  readonly countedTo: Day;
  /** Each day off that was passed over, in order. */
  readonly passed: readonly DayOff[];
  readonly result: Day;
  /** All of it as sentences. */
  readonly words: string;
}

/** The statutory clock of one request. Every day is a day in the calendar's time zone and ends at its midnight. */
export interface Clock {
  readonly regulation: Regulation;
  readonly receivedOn: Day;
  /** The end of the period before days off are passed over. */
  readonly unrolledDueOn: Day;
  readonly dueOn: Day;
  readonly extendedUnrolledDueOn: Day;
  readonly extendedDueOn: Day;
  /** The last day on which the notice of an extension may go out. */
  readonly extendBy: Day;
  /** The last day to confirm the receipt; null where no confirmation is asked for. */
  readonly confirmBy: Day | null;
  readonly explanation: {
    readonly due: Explanation;
    readonly extended: Explanation;
    readonly confirm: Explanation | null;
  };
}

interface Period {
  readonly rule: string;
  readonly source: string;
  /** Where the counting from the day of receipt ends. */
  readonly countedTo: (receivedOn: Day) => Day;
}

interface Law {
  readonly due: Period;
  /** Counted from the receipt, not from the due date: that may have been rolled. */
  readonly extended: Period;
}

const EU_SOURCE = 'GDPR Art. 12(3); Regulation (EEC, Euratom) No 1182/71 Art. 3(1), 3(2)(c) and 3(4)';
const UK_SOURCE = 'UK GDPR Art. 12(3); ICO, guidance on time limits for responding to requests';
const CALIFORNIA_SOURCE =
  'Cal. Civ. Code 1798.130(a)(2); Cal. Code Regs. tit. 11, 7021(b); Cal. Code Civ. Proc. 12 and 12a';
const ROLLED =
  'a period that would end on a Saturday, Sunday or public holiday ends with the next working day';

const LAWS: Readonly<Record<Regulation, Law>> = {
  gdpr: {
    due: months(1, { rule: euRule('one month', 'the next month'), source: EU_SOURCE }),
    extended: months(3, { rule: euRule('three months', 'the third month after'), source: EU_SOURCE }),
  },
  uk_gdpr: {
    due: months(1, { rule: ukRule('the next month'), source: UK_SOURCE }),
    extended: months(3, { rule: ukRule('the third month after'), source: UK_SOURCE }),
  },
  ccpa: { due: californiaDays(45), extended: californiaDays(90) },
};

const CONFIRM_BUSINESS_DAYS = 10;

function months(count: number, { rule, source }: { rule: string; source: string }): Period {
  return { rule, source, countedTo: (receivedOn) => addMonths(receivedOn, count) };
}

function euRule(period: string, month: string): string {
  return (
    `The day of receipt is not counted; ${period} later the period ends with the same-numbered day of ${month}, ` +
    `or with that month's last day where there is none; ${ROLLED}.`
  );
}

function ukRule(month: string): string {
  return (
    `The period runs from the day of receipt to the corresponding calendar date of ${month}, or to that month's ` +
    `last day where there is none; ${ROLLED}.`
  );
}

function californiaDays(count: number): Period {
  return {
    rule: `The period ends ${count} calendar days after the day of receipt; ${ROLLED}.`,
    source: CALIFORNIA_SOURCE,
    countedTo: (receivedOn) => addDays(receivedOn, count),
  };
}

/**
 * The clock of a request that came in at `receivedAt`: first and extended period, the last day for the notice of an
 * extension, for CCPA the last day to confirm the receipt, each with its explanation.
 */
export function clockOf(
  regulation: Regulation,
  { receivedAt, calendar }: { receivedAt: Date; calendar: Calendar },
): Clock {
  const law = LAWS[regulation];
  const receivedOn = calendar.dayOf(receivedAt);
  const due = periodOf(law.due, receivedOn, calendar);
  const extended = periodOf(law.extended, receivedOn, calendar);
  const confirm = regulation === 'ccpa' ? confirmationOf(receivedOn, calendar) : null;
  return {
    regulation,
    receivedOn,
    unrolledDueOn: due.countedTo,
    dueOn: due.result,
    extendedUnrolledDueOn: extended.countedTo,
    extendedDueOn: extended.result,
    extendBy: due.result,
    confirmBy: confirm === null ? null : confirm.result,
    explanation: { due, extended, confirm },
  };
}

function periodOf({ rule, source, countedTo }: Period, receivedOn: Day, calendar: Calendar): Explanation {
  const counted = countedTo(receivedOn);
  const end = rollForward(counted, calendar);
  return explain({ rule, source, receivedOn, countedTo: counted }, end, calendar);
}

function confirmationOf(receivedOn: Day, calendar: Calendar): Explanation {
  const end = addWorkingDays(receivedOn, CONFIRM_BUSINESS_DAYS, calendar);
  const rule =
    `The receipt is confirmed within ${CONFIRM_BUSINESS_DAYS} business days after the day of receipt; ` +
    'Saturdays, Sundays and public holidays are no business days.';
  const source = 'Cal. Code Regs. tit. 11, 7021(a)';
  return explain({ rule, source, receivedOn, countedTo: end.day }, end, calendar);
}

function explain(
  counted: Pick<Explanation, 'rule' | 'source' | 'receivedOn' | 'countedTo'>,
  { day, passed }: WorkingDay,
  { timeZone }: Calendar,
): Explanation {
  const over = passed.map((off) => `${off.day} (${off.name})`).join(', ');
  const sentences = [
    `Received on ${named(counted.receivedOn)} in the time zone ${timeZone}.`,
    counted.rule,
    `Counted to ${named(counted.countedTo)}.`,
    over === '' ? 'No day off is passed over.' : `Passed over: ${over}.`,
    `Result: the end of ${named(day)}.`,
    `Source: ${counted.source}.`,
  ];
  return { ...counted, passed, result: day, words: sentences.join(' ') };
}

function named(day: Day): string {
  return `${weekdayOf(day)} ${day}`;
}

/** Days until the due date: 0 on the due date itself, negative after it. */
export function daysLeft(dueOn: Day, today: Day): number {
  return daysBetween(today, dueOn);
}

/** Whether a request may be extended; when not, why. */
export type ExtensionCheck =
  | { readonly kind: 'allowed'; readonly extendedDueOn: Day }
  /** A period can be extended once only. */
  | { readonly kind: 'already_extended' }
  /** The notice has to go out inside the first period, its last day included. */
  | { readonly kind: 'too_late'; readonly extendBy: Day };

/** Checks an extension whose notice goes out on `today`. */
export function checkExtension(
  { extendBy, extendedDueOn }: Clock,
  { today, isExtended }: { today: Day; isExtended: boolean },
): ExtensionCheck {
  if (isExtended) return { kind: 'already_extended' };
  return today > extendBy ? { kind: 'too_late', extendBy } : { kind: 'allowed', extendedDueOn };
}
