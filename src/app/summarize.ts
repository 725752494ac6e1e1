import { z } from 'zod';
import { REFUSAL_GROUNDS } from '../domain/policy.ts';
import { judgeDeadlines, type JudgeDeps } from './list-deadlines.ts';
import type { Deps } from './ports.ts';
import type { MonthCount, ReportFilter } from './ports/reports.ts';
import { day, regulation, time } from './request-schema.ts';

const count = z.int().min(0);
const days = z.number().nullable();

const month = z
  .strictObject({
    month: z
      .string()
      .regex(/^\d{4}-\d{2}$/)
      .meta({ description: 'In which they came in.', examples: ['2026-03'] }),
    regulation,
    received: count,
    open: count,
    atRisk: count.meta({
      description: 'Open, and one missed night would bring their end past the due date.',
    }),
    completed: count,
    completedInTime: count.meta({
      description: 'Until the due date, with the extension where there is one.',
    }),
    late: count.meta({ description: 'Completed after the due date, or open after it.' }),
    refused: z.array(z.strictObject({ ground: z.enum(REFUSAL_GROUNDS), count })),
    cancelled: count,
    daysToComplete: z.strictObject({
      median: days.meta({ description: 'Null where none is completed.' }),
      p95: days.meta({ description: 'The 95th percentile, between two values where it falls there.' }),
    }),
  })
  .meta({ id: 'MonthSummary' });

export const summaryView = z
  .strictObject({
    from: day,
    to: day,
    at: time.meta({ description: 'The time that open, late and at risk are of.' }),
    months: z.array(month),
  })
  .meta({
    id: 'Summary',
    description: "Days and months are those of the time zone of each regulation's deadlines.",
  });
type SummaryView = z.infer<typeof summaryView>;

/** What became of the requests that came in within a period, by month and regulation. */
export async function summarize(
  deps: JudgeDeps & Pick<Deps, 'reports'>,
  filter: ReportFilter,
): Promise<SummaryView> {
  const counts = await deps.reports.countByMonth(filter);
  const atRisk = await countAtRisk(deps);
  return {
    from: filter.from,
    to: filter.to,
    at: deps.now().toISOString(),
    months: counts.map((one) => monthView(one, atRisk.get(keyOf(one)) ?? 0)),
  };
}

/** Of all requests that are open, by month of receipt and regulation. */
async function countAtRisk(deps: JudgeDeps): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for await (const { request, view } of judgeDeadlines(deps, { days: 0 })) {
    if (view.status !== 'at_risk') continue;
    const received = deps.dayOf(request.regulation, request.receivedAt).slice(0, 7);
    const key = keyOf({ month: received, regulation: request.regulation });
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}

function keyOf(of: Pick<MonthCount, 'month' | 'regulation'>): string {
  return `${of.month} ${of.regulation}`;
}

function monthView(counted: MonthCount, atRisk: number): SummaryView['months'][number] {
  const { medianDays, p95Days, refused, ...counts } = counted;
  return {
    ...counts,
    // All of them are open; one that was closed between the two readings is not at risk.
    atRisk: Math.min(atRisk, counts.open),
    refused: [...refused],
    daysToComplete: { median: medianDays, p95: p95Days },
  };
}
