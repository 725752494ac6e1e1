import type { Command } from 'commander';
import { z } from 'zod';
import { DELIVERY_STATES } from '../app/ports/intake.ts';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { act, examples, noOptions, whole, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';
import { shortTime } from './output.ts';
import { problemText } from './webhook-problem.ts';
import { testOptions, testWebhook } from './webhook-test.ts';

/** `lethe webhook`: tries what a ticketing system would send, and shows what could not be read. */
export function addWebhook(program: Command, shell: Shell): void {
  const group = program
    .command('webhook')
    .description('tickets that come in by webhook: trying a mapping, and what could not be mapped');
  examples(
    group
      .command('test <source> <file>')
      .description(
        'signs a payload as the source would and sends it to the API (- for standard input); needs the configuration, no API key',
      )
      .option('--url <url>', 'where the API is (LETHE_URL; else this machine)')
      .option('--dry-run', 'sends nothing: shows what would be read of it, values masked')
      .action(act(shell, testOptions, testWebhook)),
    ['webhook test support ticket.json --dry-run', 'webhook test support ticket.json'],
  );
  addDeliveries(group, shell);
}

function addDeliveries(group: Command, shell: Shell): void {
  examples(
    addApiOptions(group.command('sources'))
      .description('every source, and what became of what it delivered; with --json one a line')
      .action(actOverApi(shell, noOptions, listSources)),
    ['webhook sources'],
  );
  examples(
    addApiOptions(group.command('deliveries'))
      .description('deliveries that wait or cannot be mapped, newest first; with --json one a line')
      .option('--source <name>', 'only of this source')
      .option('--state <state>', `only those that are ${DELIVERY_STATES.join(' or ')}`)
      .option('--limit <number>', 'at most so many (default: 50)')
      .action(actOverApi(shell, listOptions, listDeliveries)),
    ['webhook deliveries', 'webhook deliveries --source support --state unmappable'],
  );
  examples(
    addApiOptions(group.command('judge [id]'))
      .description('judges again what could not be mapped, once the mapping is mended')
      .option('--source <name>', 'all of this source, instead of one by its id')
      .action(actOverApi(shell, judgeOptions, judgeAgain)),
    ['webhook judge wd_0192a75555555555555555555555555a', 'webhook judge --source support'],
  );
}

const listOptions = z.object({
  source: z.string().optional(),
  state: z.enum(DELIVERY_STATES, `one of ${DELIVERY_STATES.join(', ')}`).optional(),
  limit: whole(1, 10_000).default(50),
});
const judgeOptions = z.object({ source: z.string().optional() });

const sources = z.object({
  items: z.array(
    z.looseObject({
      name: z.string(),
      kind: z.string().nullable(),
      waiting: z.number(),
      unmappable: z.number(),
      accepted: z.number(),
      knownTicket: z.number(),
      notMatching: z.number(),
      expired: z.number(),
    }),
  ),
});
const SOURCE_COLUMNS = [
  { title: 'source' },
  { title: 'kind' },
  { title: 'waiting' },
  { title: 'unmappable' },
  { title: 'requests' },
  { title: 'known' },
  { title: 'no request' },
  { title: 'expired' },
];

async function listSources({ api, output }: GivenApi<unknown>): Promise<ExitStatus> {
  const { items } = understood(sources, await api.ask({ method: 'GET', path: '/v1/webhook-sources' }));
  output.items(items);
  output.table(
    SOURCE_COLUMNS,
    items.map((one) => [
      one.name,
      one.kind ?? '–',
      ...[one.waiting, one.unmappable, one.accepted, one.knownTicket, one.notMatching, one.expired].map(
        String,
      ),
    ]),
  );
  return EXIT.ok;
}

const page = z.object({
  items: z.array(
    z.looseObject({
      id: z.string(),
      source: z.string(),
      state: z.string(),
      receivedAt: z.string(),
      problems: z.array(
        z.object({ field: z.string().nullable(), pointers: z.array(z.string()), expected: z.string() }),
      ),
    }),
  ),
  nextCursor: z.string().nullish(),
});
type Shown = z.output<typeof page>['items'][number];

const PAGE = 200;

async function* shownDeliveries(
  { api }: Pick<GivenApi<unknown>, 'api'>,
  { limit, ...query }: { source?: string | undefined; state?: string | undefined; limit: number },
): AsyncGenerator<readonly Shown[]> {
  let left = limit;
  for (let cursor: string | null | undefined; cursor !== null && left > 0;) {
    const asked = { ...query, cursor, limit: Math.min(PAGE, left) };
    const found = understood(
      page,
      await api.ask({ method: 'GET', path: '/v1/webhook-deliveries', query: asked }),
    );
    yield found.items;
    left -= found.items.length;
    cursor = found.nextCursor ?? null;
  }
}

async function listDeliveries(given: GivenApi<z.output<typeof listOptions>>): Promise<ExitStatus> {
  let count = 0;
  for await (const items of shownDeliveries(given, given.options)) {
    given.output.items(items);
    count += items.length;
    given.output.text(items.map(deliveryText).join('\n'));
  }
  if (count === 0) given.output.text('none');
  return EXIT.ok;
}

/** A line, and one for each thing that was expected: no column of a table would hold them. */
function deliveryText({ id, source, state, receivedAt, problems }: Shown): string {
  const head = `${id}  ${source}  ${shortTime(receivedAt)}`;
  if (state === 'received') return `${head}  waits for a worker`;
  return [`${head}  expected`, ...problems.map((one) => `  - ${problemText(one)}`)].join('\n');
}

async function judgeAgain(given: GivenApi<z.output<typeof judgeOptions>>): Promise<ExitStatus> {
  const { api, output, args, options } = given;
  const [id] = args;
  if ((id === undefined) === (options.source === undefined))
    throw commandError(
      'USAGE_INVALID',
      'Expected the id of a delivery, or --source NAME for all of a source.',
    );
  // All are listed before the first is judged, since what is judged may leave the list.
  const ids: string[] = id === undefined ? [] : [id];
  if (id === undefined) {
    const query = { source: options.source, state: 'unmappable', limit: Infinity };
    for await (const items of shownDeliveries(given, query)) ids.push(...items.map((one) => one.id));
  }
  for (const one of ids) {
    const path = `/v1/webhook-deliveries/${encodeURIComponent(one)}/judge`;
    output.items([await api.ask({ method: 'POST', path })]);
  }
  output.text(
    `${ids.length} ${ids.length === 1 ? 'delivery is' : 'deliveries are'} judged again; \`lethe webhook deliveries\` shows what still cannot be mapped`,
  );
  return EXIT.ok;
}
