import type { Command } from 'commander';
import { z } from 'zod';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, whole, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';

/** `lethe deadlines`: what is due soon. */
export function addDeadlines(program: Command, shell: Shell): void {
  examples(
    addApiOptions(program.command('deadlines'))
      .description('requests that are overdue or due soon, the most urgent first; with --json one a line')
      .option('--days <number>', 'due within so many days (default 7)')
      .action(actOverApi(shell, options, list)),
    ['deadlines', "deadlines --days 3 --json | jq -r 'select(.daysLeft < 0) | .id'"],
  );
}

const options = z.object({ days: whole(0, 3_650).default(7) });

const deadlines = z.object({ items: z.array(z.unknown()) });
const deadline = z.object({
  id: z.string(),
  state: z.string().nullish(),
  dueOn: z.string().nullish(),
  daysLeft: z.number().nullish(),
  reference: z.string().nullish(),
});
const COLUMNS = [
  { title: 'due on' },
  { title: 'left' },
  { title: 'id' },
  { title: 'state', flexible: true },
  { title: 'reference', flexible: true },
];

async function list({
  api,
  output,
  options: { days },
}: GivenApi<z.output<typeof options>>): Promise<ExitStatus> {
  const { items } = understood(
    deadlines,
    await api.ask({ method: 'GET', path: '/v1/deadlines', query: { days } }),
  );
  output.items(items);
  output.table(
    COLUMNS,
    understood(z.array(deadline), items).map(({ dueOn, daysLeft, id, state, reference }) => [
      dueOn ?? '–',
      typeof daysLeft === 'number' ? `${daysLeft} d` : '–',
      id,
      state ?? '–',
      reference ?? '–',
    ]),
  );
  return EXIT.ok;
}
