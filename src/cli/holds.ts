import type { Command } from 'commander';
import { z } from 'zod';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { examples, noOptions, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, answered, type GivenApi } from './over-api.ts';
import { shortTime } from './output.ts';
import { identifier } from './private-text.ts';

/** `lethe holds`: legal holds on persons, whether a request of theirs is here already or comes later. */
export function addHolds(program: Command, shell: Shell): void {
  const group = addApiOptions(program.command('holds').description('legal holds: whose data must be kept'));
  examples(
    group
      .command('create')
      .description('puts a hold on a person: no request of theirs is carried out')
      .option('--user-id <id>', 'the user id; - reads it from standard input')
      .option('--user-id-file <file>', 'file that holds nothing but the user id')
      .option('--email <address>', 'the e-mail address; - reads it from standard input')
      .option('--email-file <file>', 'file that holds nothing but the e-mail address')
      .option('--reason <text>', 'why the data must be kept (needed)')
      .action(actOverApi(shell, createOptions, create)),
    ['holds create --user-id-file user.txt --reason "litigation 4711"'],
  );
  examples(
    group
      .command('list')
      .description('all holds; with --json one a line')
      .action(actOverApi(shell, noOptions, list)),
    ['holds list', "holds list --json | jq -r 'select(.releasedAt == null) | .id'"],
  );
  examples(
    group
      .command('release <id>')
      .description('ends a hold')
      .option('--reason <text>', 'why the data need no longer be kept (needed)')
      .action(actOverApi(shell, releaseOptions, release)),
    ['holds release lh_0192f0c1a2b37c4d8e5f60718293a4b5 --reason "settled"'],
  );
}

const needed = z.string('a text: it is needed').min(1, 'a text: it is needed');
const createOptions = z.object({
  userId: z.string().optional(),
  userIdFile: z.string().optional(),
  email: z.string().optional(),
  emailFile: z.string().optional(),
  reason: needed,
});
const releaseOptions = z.object({ reason: needed });

async function create(given: GivenApi<z.output<typeof createOptions>>): Promise<ExitStatus> {
  const { options, io, api } = given;
  const userId = await identifier('user-id', { value: options.userId, file: options.userIdFile }, io);
  const email = await identifier('email', { value: options.email, file: options.emailFile }, io);
  if (userId === undefined && email === undefined) {
    throw commandError(
      'USAGE_INVALID',
      'whom is it about? Expected --user-id-file or --email-file, or --user-id -',
    );
  }
  const body = { subject: { userId, email }, reason: options.reason };
  return answered(given, await api.ask({ method: 'POST', path: '/v1/holds', body }));
}

const holdPage = z.object({ items: z.array(z.unknown()), nextCursor: z.string().nullish() });
const hold = z.object({
  id: z.string(),
  reason: z.string().nullish(),
  createdAt: z.string().nullish(),
  releasedAt: z.string().nullish(),
});
const COLUMNS = [
  { title: 'id' },
  { title: 'since' },
  { title: 'released' },
  { title: 'reason', flexible: true },
];

async function list({ api, output }: GivenApi<unknown>): Promise<ExitStatus> {
  const rows: string[][] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const answer: unknown = await api.ask({ method: 'GET', path: '/v1/holds', query: { cursor } });
    const page: z.output<typeof holdPage> = understood(holdPage, answer);
    output.items(page.items);
    rows.push(
      ...understood(z.array(hold), page.items).map(({ id, createdAt, releasedAt, reason }) => [
        id,
        shortTime(createdAt),
        shortTime(releasedAt),
        reason ?? '–',
      ]),
    );
    cursor = page.nextCursor ?? null;
  }
  output.table(COLUMNS, rows);
  return EXIT.ok;
}

async function release(given: GivenApi<z.output<typeof releaseOptions>>): Promise<ExitStatus> {
  const path = `/v1/holds/${encodeURIComponent(given.args[0] ?? '')}/release`;
  return answered(given, await given.api.ask({ method: 'POST', path, body: given.options }));
}
