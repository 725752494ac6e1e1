import type { Command } from 'commander';
import { z } from 'zod';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, whole, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';

/** The largest page there is. */
const PAGE = 200;

/** `lethe deadlines`: what is due soon. */
export function addDeadlines(program: Command, shell: Shell): void {
  examples(
    addApiOptions(program.command('deadlines'))
      .description(
        'requests that are overdue, at risk or due soon, the first due first; with --json one a line',
      )
      .option('--days <number>', 'due within so many days (default 7)')
      .action(actOverApi(shell, options, list)),
    ['deadlines', "deadlines --days 3 --json | jq -r 'select(.daysLeft < 0) | .id'"],
  );
}

const options = z.object({ days: whole(0, 3_650).default(7) });

const page = z.object({ items: z.array(z.unknown()), nextCursor: z.string().nullable() });
const deadline = z.object({
  id: z.string(),
  status: z.string(),
  dueOn: z.string(),
  reference: z.string().nullable(),
  waiting: z.object({ actsNext: z.string() }).nullable(),
});
const COLUMNS = [
  { title: 'due on' },
  { title: 'status' },
  { title: 'id' },
  { title: 'acts next' },
  { title: 'reference', flexible: true },
];

async function list({
  api,
  output,
  options: { days },
}: GivenApi<z.output<typeof options>>): Promise<ExitStatus> {
  const rows: string[][] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const query = { days, limit: PAGE, cursor };
    const answer: unknown = await api.ask({ method: 'GET', path: '/v1/deadlines', query });
    const { items, nextCursor }: z.output<typeof page> = understood(page, answer);
    output.items(items);
    rows.push(...understood(z.array(deadline), items).map(rowOf));
    cursor = nextCursor;
  }
  output.table(COLUMNS, rows);
  return EXIT.ok;
}

function rowOf(item: z.output<typeof deadline>): string[] {
  const { dueOn, status, id, waiting, reference } = item;
  return [dueOn, spoken(status), id, spoken(waiting?.actsNext ?? '–'), reference ?? '–'];
}

/** Words of the API are written with `_` for a space. */
function spoken(word: string): string {
  return word.replaceAll('_', ' ');
}
