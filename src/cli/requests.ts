import type { Command } from 'commander';
import { z } from 'zod';
import { REQUEST_STATES } from '../domain/states.ts';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, noOptions, whole, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { followRequest } from './follow.ts';
import { actOverApi, answered, type GivenApi } from './over-api.ts';
import { shortTime } from './output.ts';
import { addCertificate } from './request-certificate.ts';
import { addDecisions } from './request-decisions.ts';
import { addPackage } from './request-package.ts';
import { addSubmissions } from './request-submission.ts';
import { listRequests, requestText, shownRequest } from './request-text.ts';

const SOME_ID = 'er_0192f0c1a2b37c4d8e5f60718293a4b5';
const PAGE = 200;

/** `lethe requests`: everything about erasure requests, over the API. */
export function addRequests(program: Command, shell: Shell): void {
  const group = addApiOptions(
    program.command('requests').description('take in, watch and decide erasure requests'),
  );
  addSubmissions(group, shell);
  addReading(group, shell);
  addPackage(group, shell);
  addCertificate(group, shell);
  addDecisions(group, shell);
}

function addReading(group: Command, shell: Shell): void {
  examples(
    group
      .command('list')
      .description('requests, newest first; with --json one a line')
      .option('--state <state>', `only those in this state: ${REQUEST_STATES.join(', ')}`)
      .option('--reference <text>', 'only those with this reference')
      .option('--limit <number>', 'at most so many (default 50)')
      .option('--all', 'all there are')
      .action(actOverApi(shell, listOptions, list)),
    [
      'requests list --state needs_attention',
      "requests list --all --json | jq -r 'select(.reference) | .id'",
    ],
  );
  examples(
    group
      .command('show <id>')
      .description('one request: its state, why it waits, who must act')
      .action(actOverApi(shell, noOptions, show)),
    [`requests show ${SOME_ID}`, `requests show ${SOME_ID} --json | jq .waiting`],
  );
  examples(
    group
      .command('follow <id>')
      .description(
        'shows progress until the request rests: status 0 completed, 1 refused or cancelled, 4 needs a person',
      )
      .option('--every <seconds>', 'how often to look (default 2)')
      .action(actOverApi(shell, followOptions, follow)),
    [`requests follow ${SOME_ID}`, `requests follow ${SOME_ID} --json | tail -n 1`],
  );
  examples(
    group
      .command('events <id>')
      .description('the audit events of a request, oldest first; with --json one a line')
      .action(actOverApi(shell, noOptions, events)),
    [`requests events ${SOME_ID}`, `requests events ${SOME_ID} --json > trail.ndjson`],
  );
  examples(
    group
      .command('subject <id>')
      .description('whom a request is about; that it was read becomes an audit event')
      .action(
        actOverApi(shell, noOptions, async (given) =>
          answered(given, await given.api.ask({ method: 'GET', path: `${pathOf(given)}/subject` })),
        ),
      ),
    [`requests subject ${SOME_ID}`],
  );
}

/** The path of the request that the first argument names. */
function pathOf({ args }: Pick<GivenApi<unknown>, 'args'>): string {
  return `/v1/erasure-requests/${encodeURIComponent(args[0] ?? '')}`;
}

const listOptions = z.object({
  state: z.enum(REQUEST_STATES, `one of ${REQUEST_STATES.join(', ')}`).optional(),
  reference: z.string().optional(),
  limit: whole(1, 1_000_000).optional(),
  all: z.boolean().default(false),
});

const requestPage = z.object({ items: z.array(z.unknown()), nextCursor: z.string().nullable() });

async function list(given: GivenApi<z.output<typeof listOptions>>): Promise<ExitStatus> {
  const { output, options } = given;
  let left = options.all ? Infinity : (options.limit ?? 50);
  const shown: unknown[] = [];
  for (let cursor: string | null | undefined; cursor !== null && left > 0;) {
    const { state, reference } = options;
    const query = { state, reference, cursor, limit: Math.min(PAGE, left) };
    const page = understood(
      requestPage,
      await given.api.ask({ method: 'GET', path: '/v1/erasure-requests', query }),
    );
    output.items(page.items);
    if (!output.json) shown.push(...page.items);
    left -= page.items.length;
    cursor = page.nextCursor;
  }
  listRequests(understood(z.array(shownRequest), shown), output);
  return EXIT.ok;
}

async function show(given: GivenApi<unknown>): Promise<ExitStatus> {
  const answer = await given.api.ask({ method: 'GET', path: pathOf(given) });
  return answered(given, answer, (raw) => requestText(understood(shownRequest, raw), given.output));
}

const secondsExpected = 'a number of seconds above 0, such as 2 or 0.5';
const followOptions = z.object({
  every: z
    .string()
    .regex(/^\d{1,5}(\.\d{1,3})?$/, secondsExpected)
    .transform(Number)
    .refine((seconds) => seconds > 0, secondsExpected)
    .default(2),
});

async function follow(given: GivenApi<z.output<typeof followOptions>>): Promise<ExitStatus> {
  return followRequest({ ...given, everyMs: given.options.every * 1_000 }, given.args[0] ?? '');
}

const event = z.object({
  seq: z.number(),
  at: z.string(),
  type: z.string(),
  change: z.object({ from: z.string().nullable(), to: z.string() }).nullish(),
});
const eventPage = z.object({ events: z.array(z.unknown()), nextAfter: z.number().nullable() });
const EVENT_COLUMNS = [
  { title: 'seq' },
  { title: 'at' },
  { title: 'event' },
  { title: 'change', flexible: true },
];

async function events(given: GivenApi<unknown>): Promise<ExitStatus> {
  const { output } = given;
  const rows: string[][] = [];
  for (let after: number | null = -1; after !== null;) {
    const query = { after, limit: PAGE };
    const answer: unknown = await given.api.ask({ method: 'GET', path: `${pathOf(given)}/events`, query });
    const page: z.output<typeof eventPage> = understood(eventPage, answer);
    output.items(page.events);
    rows.push(...(output.json ? [] : understood(z.array(event), page.events).map(eventRow)));
    after = page.nextAfter;
  }
  output.table(EVENT_COLUMNS, rows);
  return EXIT.ok;
}

function eventRow({ seq, at, type, change }: z.output<typeof event>): string[] {
  const moved = change === null || change === undefined ? '' : `${change.from ?? 'new'} → ${change.to}`;
  return [String(seq), shortTime(at), type, moved];
}
