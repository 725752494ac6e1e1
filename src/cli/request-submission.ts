import type { Command } from 'commander';
import { z } from 'zod';
import { REGULATIONS } from '../domain/regulation.ts';
import { understood } from './api-client.ts';
import { collect, examples, whole, type Shell } from './command.ts';
import { commandError, type ExitStatus } from './exit-status.ts';
import { followRequest } from './follow.ts';
import { actOverApi, answered, type GivenApi } from './over-api.ts';
import { identifier, privateText } from './private-text.ts';
import { requestText, shownRequest } from './request-text.ts';

const TYPES = ['erasure', 'access', 'access_and_erasure'] as const;

/** `requests create` and `requests preview`: the commands that are told whom a request is about. */
export function addSubmissions(group: Command, shell: Shell): void {
  examples(
    addSubjectOptions(group.command('create').description('takes a request in'))
      .option('--type <type>', `${TYPES.join(', ')} (default erasure)`)
      .option('--regulation <name>', `${REGULATIONS.join(', ')} (default gdpr)`)
      .option('--received-at <time>', 'when the person asked, such as 2026-03-01T09:30:00Z; in the past')
      .option('--reference <text>', 'your own reference, such as a ticket; not a person')
      .option('--note <text>', 'a note, kept sealed; - reads it from standard input')
      .option('--expect-tasks <number>', 'accept it only if it makes so many tasks, as a preview has said')
      .option('--idempotency-key <key>', 'the same key and request again make no second request')
      .option('--follow', 'then follow it until it rests, with the statuses of `requests follow`')
      .action(actOverApi(shell, createOptions, create)),
    [
      'requests create --user-id-file user.txt --reference DSR-17',
      'requests create --user-id - --project shopKey0000000000000 --follow < user.txt',
    ],
  );
  examples(
    addSubjectOptions(
      group.command('preview').description('what a request would find and erase; changes nothing'),
    ).action(actOverApi(shell, subjectOptions, preview)),
    ['requests preview --email-file address.txt', 'requests preview --user-id - --json < user.txt'],
  );
}

const ON_COMMAND_LINE = '; - reads it from standard input, as what is typed here stays in your history';

/** An identifier that is typed on the command line ends in shell histories and process lists, so there are other ways. */
function addSubjectOptions(command: Command): Command {
  return command
    .option('--user-id <id>', `the id set with tracker.setUserID${ON_COMMAND_LINE}`)
    .option('--user-id-file <file>', 'file that holds nothing but the user id')
    .option('--email <address>', `the e-mail address${ON_COMMAND_LINE}`)
    .option('--email-file <file>', 'file that holds nothing but the e-mail address')
    .option('--project <key>', 'only this project; may be given again', collect)
    .option('--connection <name>', 'the connection of the configuration');
}

const subjectOptions = z.object({
  userId: z.string().optional(),
  userIdFile: z.string().optional(),
  email: z.string().optional(),
  emailFile: z.string().optional(),
  project: z.array(z.string()).optional(),
  connection: z.string().optional(),
});

const createOptions = subjectOptions.extend({
  type: z.enum(TYPES, `one of ${TYPES.join(', ')}`).optional(),
  regulation: z.enum(REGULATIONS, `one of ${REGULATIONS.join(', ')}`).optional(),
  receivedAt: z.string().optional(),
  reference: z.string().optional(),
  note: z.string().optional(),
  expectTasks: whole(0, 1_000_000).optional(),
  idempotencyKey: z.string().optional(),
  follow: z.boolean().default(false),
});

type SubjectGiven = GivenApi<z.output<typeof subjectOptions>>;

async function subjectBody({ options, io }: SubjectGiven): Promise<object> {
  const userId = await identifier('user-id', { value: options.userId, file: options.userIdFile }, io);
  const email = await identifier('email', { value: options.email, file: options.emailFile }, io);
  if (userId === undefined && email === undefined) {
    throw commandError(
      'USAGE_INVALID',
      'whom is it about? Expected --user-id-file or --email-file, or --user-id -',
    );
  }
  return {
    subject: { userId, email },
    projectKeys: options.project,
    connection: options.connection,
  };
}

async function create(given: GivenApi<z.output<typeof createOptions>>): Promise<ExitStatus> {
  const { options, api, io, output } = given;
  atMostOneFromInput([options.userId, options.email, options.note]);
  const { type, regulation, receivedAt, reference, expectTasks, idempotencyKey } = options;
  const body = {
    ...(await subjectBody(given)),
    ...{ type, regulation, receivedAt, reference },
    note: await privateText('note', { value: options.note }, io),
    expect: expectTasks === undefined ? undefined : { tasks: expectTasks },
  };
  const answer = await api.ask({ method: 'POST', path: '/v1/erasure-requests', body, idempotencyKey });
  const request = understood(shownRequest, answer);
  if (!options.follow) return answered(given, answer, () => requestText(request, output));
  output.note(`${request.id} is taken in.`);
  return followRequest({ ...given, everyMs: 1_000 }, request.id);
}

async function preview(given: SubjectGiven): Promise<ExitStatus> {
  atMostOneFromInput([given.options.userId, given.options.email]);
  const body = await subjectBody(given);
  return answered(given, await given.api.ask({ method: 'POST', path: '/v1/erasure-requests/preview', body }));
}

/** Standard input can be read only once. */
export function atMostOneFromInput(values: readonly (string | undefined)[]): void {
  if (values.filter((value) => value === '-').length > 1) {
    throw commandError('USAGE_INVALID', 'only one option can be read from standard input (-)');
  }
}
