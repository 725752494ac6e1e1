import type { Command } from 'commander';
import { z } from 'zod';
import { understood } from './api-client.ts';
import { examples, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';
import { addPeriod, period } from './report-period.ts';

/** `report summary`: numbers by month. */
export function addSummary(group: Command, shell: Shell): void {
  examples(
    addPeriod(group.command('summary'))
      .description('counts requests by month of receipt and regulation; with --json all there is')
      .action(actOverApi(shell, period, summary)),
    ['report summary', "report summary --from 2027-01-01 --json | jq '.months[].late'"],
  );
}

const answer = z.looseObject({
  months: z.array(
    z.looseObject({
      month: z.string(),
      regulation: z.string(),
      received: z.number(),
      open: z.number(),
      atRisk: z.number(),
      completedInTime: z.number(),
      late: z.number(),
      refused: z.array(z.looseObject({ count: z.number() })),
      cancelled: z.number(),
      daysToComplete: z.looseObject({ median: z.number().nullable(), p95: z.number().nullable() }),
    }),
  ),
});
type Month = z.output<typeof answer>['months'][number];

/** Short ones: the line is one of 80 columns. */
const COLUMNS = 'month,law,new,open,risk,in time,late,refused,cancel,days,p95';

async function summary({
  api,
  output,
  options: query,
}: GivenApi<z.output<typeof period>>): Promise<ExitStatus> {
  const body = understood(answer, await api.ask({ method: 'GET', path: '/v1/reports/summary', query }));
  if (output.json) output.items([body]);
  output.table(
    COLUMNS.split(',').map((title) => ({ title })),
    body.months.map(rowOf),
  );
  return EXIT.ok;
}

function rowOf(month: Month): string[] {
  const { daysToComplete: days } = month;
  const refused = month.refused.reduce((sum, { count }) => sum + count, 0);
  return [
    month.month,
    month.regulation.replaceAll('_', ' '),
    ...[month.received, month.open, month.atRisk, month.completedInTime, month.late].map(String),
    ...[refused, month.cancelled].map(String),
    ...[days.median, days.p95].map((value) => String(value ?? '–')),
  ];
}
