import { z } from 'zod';
import { addDays, isDay, type Day } from '../domain/day.ts';
import { daysLeft } from '../domain/deadlines.ts';
import { atRisk, SESSIONS_PER_ROUND } from '../domain/forecast.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import { habitOf } from '../domain/round-habit.ts';
import type { Deps, DuePlace, ObservedRounds, RequestWithTasks } from './ports.ts';
import { day, forecast, PAGE_MAX, requestId, requestState, waiting } from './request-schema.ts';
import { forecastOf, forecastView, type ForecastDeps } from './forecast-of.ts';
import { waitingOf } from './request-view.ts';

/** Where the next page begins: the due date and the id of the last item. */
export const DUE_CURSOR = /^\d{4}-\d{2}-\d{2}_er_[0-9a-f]{32}$/;

const deadline = z
  .strictObject({
    id: requestId,
    reference: z.string().nullable(),
    state: requestState,
    dueOn: day.meta({ description: 'The last day, with the extension where there is one.' }),
    daysLeft: z.int().meta({ description: 'Below 0 when overdue.' }),
    status: z.enum(['overdue', 'at_risk', 'due_soon']).meta({
      description: '`at_risk`: one night that is missed would bring the expected end past the due date.',
    }),
    waiting: waiting.nullable().meta({ description: 'What it waits for, and who acts next.' }),
    forecast: forecast.nullable(),
  })
  .meta({ id: 'Deadline', description: 'An open request that is late, may become late, or is due soon.' });
type DeadlineView = z.infer<typeof deadline>;

export const deadlinePage = z
  .strictObject({
    items: z.array(deadline).max(PAGE_MAX),
    nextCursor: z
      .string()
      .regex(DUE_CURSOR)
      .nullable()
      .meta({ description: 'Give it as `cursor` for what follows; null on the last page.' }),
  })
  .meta({ id: 'DeadlinePage' });
type DeadlinePage = z.infer<typeof deadlinePage>;

export interface DeadlineQuery {
  /** Due within so many days; what is overdue or at risk is shown whenever it is due. */
  readonly days: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export type JudgeDeps = ForecastDeps & Pick<Deps, 'store' | 'today' | 'dayOf' | 'observedRounds'>;

/** How many requests are judged at a time. */
const BATCH = 200;

/** Open requests that are overdue, at risk or due soon, the first due first, in pages that stay stable. */
export async function listDeadlines(deps: JudgeDeps, query: DeadlineQuery): Promise<DeadlinePage> {
  const items: DeadlineView[] = [];
  for await (const { view } of judgeDeadlines(deps, query)) {
    if (items.length === query.limit) return { items, nextCursor: cursorOf(items.at(-1)) };
    items.push(view);
  }
  return { items, nextCursor: null };
}

interface Judged {
  readonly request: RequestWithTasks['request'];
  readonly view: DeadlineView;
}

/** As listDeadlines, one after another, for as long as somebody takes them. */
export async function* judgeDeadlines(
  deps: JudgeDeps,
  { days, cursor }: Omit<DeadlineQuery, 'limit'>,
): AsyncGenerator<Judged, void, undefined> {
  const observed = await deps.observedRounds();
  const until = judgedUntil(deps, observed, days);
  for (let after = placeOf(cursor); ;) {
    const filter = { until, heavySessions: SESSIONS_PER_ROUND, after, limit: BATCH };
    const batch = await deps.store.listOpenByDue(filter);
    for (const from of batch) {
      const view = deadlineOf(deps, from, { observed, days });
      if (view !== undefined) yield { request: from.request, view };
    }
    const last = batch.at(-1)?.request;
    const dueOn = last && dueOf(last);
    if (last === undefined || dueOn === undefined || batch.length < BATCH) return;
    after = { dueOn, requestId: last.id };
  }
}

/** Beyond this day only requests that need more than one round, or cool off for long, can be late. */
function judgedUntil(deps: JudgeDeps, observed: ObservedRounds, days: number): Day {
  const today = REGULATIONS.map((regulation) => deps.today(regulation)).toSorted();
  const roundMs = Math.max(
    ...[...deps.connections.keys()].map((name) => habitOf(observed.get(name) ?? [], deps.pace).roundMs),
  );
  // The wait for the night, the round, the night that may be missed, and the look that may follow.
  const roundDays = Math.ceil((roundMs + deps.pace.verification.retryMs) / 86_400_000) + 2;
  return addDays(today.at(-1) ?? deps.today('gdpr'), Math.max(days, roundDays));
}

function deadlineOf(
  deps: JudgeDeps,
  from: RequestWithTasks,
  { observed, days }: { observed: ObservedRounds; days: number },
): DeadlineView | undefined {
  const { request } = from;
  const dueOn = dueOf(request);
  if (dueOn === undefined) return undefined;
  const left = daysLeft(dueOn, deps.today(request.regulation));
  const waits = waitingOf(from);
  const foreseen = forecastOf(deps, { from, waiting: waits, observed });
  const dayOf = (at: Date) => deps.dayOf(request.regulation, at);
  const expectedAt = foreseen?.expectedAt ?? null;
  const late = expectedAt !== null && atRisk(expectedAt, dueOn, { dayOf });
  const status = left < 0 ? 'overdue' : late ? 'at_risk' : left <= days ? 'due_soon' : undefined;
  if (status === undefined) return undefined;
  const { id, reference, state } = request;
  return {
    id,
    reference,
    state,
    dueOn,
    daysLeft: left,
    status,
    waiting: waits,
    forecast: forecastView(foreseen),
  };
}

function dueOf({ clock, extendedAt }: RequestWithTasks['request']): Day | undefined {
  return extendedAt === null ? clock?.dueOn : clock?.extendedDueOn;
}

function placeOf(cursor: string | undefined): DuePlace | undefined {
  const [dueOn = '', requestIdAfter = ''] = cursor?.split(/_(.*)/s) ?? [];
  return isDay(dueOn) ? { dueOn, requestId: requestIdAfter } : undefined;
}

function cursorOf(last: DeadlineView | undefined): string | null {
  return last === undefined ? null : `${last.dueOn}_${last.id}`;
}
