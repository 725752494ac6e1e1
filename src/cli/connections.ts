import type { Command } from 'commander';
import { z } from 'zod';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, noOptions, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, answered, type GivenApi } from './over-api.ts';
import { shortTime } from './output.ts';

/** `lethe connections`: how each OpenReplay server does, and its stop button. */
export function addConnections(program: Command, shell: Shell): void {
  const group = addApiOptions(
    program.command('connections').description('the OpenReplay servers, and the stop button of each'),
  );
  examples(
    group
      .command('list')
      .description('every connection, and whether calls leave for it; with --json one a line')
      .action(actOverApi(shell, noOptions, list)),
    ['connections list', 'connections list --json | jq -r \'select(.state != "open") | .name\''],
  );
  examples(
    group
      .command('pause <name>')
      .description('stops every call to it; requests are still taken in')
      .option('--reason <text>', 'why (needed)')
      .action(actOverApi(shell, reasonOptions, press('pause'))),
    ['connections pause default --reason "upgrade of the server"'],
  );
  examples(
    group
      .command('resume <name>')
      .description('lets calls leave again; what waited goes on at once')
      .option('--reason <text>', 'why (needed)')
      .action(actOverApi(shell, reasonOptions, press('resume'))),
    ['connections resume default --reason "upgrade done"'],
  );
}

const reasonOptions = z.object({
  reason: z.string('a text: it is needed').min(1, 'a text: it is needed'),
});

const connections = z.object({
  items: z.array(
    z.looseObject({
      name: z.string(),
      state: z.string(),
      pausedAt: z.string().nullish(),
      pauseReason: z.string().nullish(),
      shutUntil: z.string().nullish(),
      shutReason: z.string().nullish(),
    }),
  ),
});
const COLUMNS = [
  { title: 'name' },
  { title: 'state' },
  { title: 'paused' },
  { title: 'until' },
  { title: 'why', flexible: true },
];

async function list({ api, output }: GivenApi<unknown>): Promise<ExitStatus> {
  const { items } = understood(connections, await api.ask({ method: 'GET', path: '/v1/connections' }));
  output.items(items);
  output.table(
    COLUMNS,
    items.map(({ name, state, pausedAt, pauseReason, shutUntil, shutReason }) => [
      ...[name, state, shortTime(pausedAt), shortTime(shutUntil)],
      pauseReason ?? shutReason ?? '–',
    ]),
  );
  return EXIT.ok;
}

function press(button: 'pause' | 'resume') {
  return async (given: GivenApi<z.output<typeof reasonOptions>>): Promise<ExitStatus> => {
    const path = `/v1/connections/${encodeURIComponent(given.args[0] ?? '')}/${button}`;
    return answered(given, await given.api.ask({ method: 'POST', path, body: given.options }));
  };
}
