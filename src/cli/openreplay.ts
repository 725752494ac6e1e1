import type { Command } from 'commander';
import { z } from 'zod';
import { loadConfig, type ConnectionConfig } from '../config.ts';
import type { CallFailure } from '../domain/openreplay.ts';
import { act, collect, examples, whole, type Given, type Shell } from './command.ts';
import { CommandError, commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { OPERATIONS, OPTIONS, type Arguments, type Operation } from './openreplay-operations.ts';
import { readable, type Output } from './output.ts';
import { identifier, privateText } from './private-text.ts';
import { atMostOneFromInput } from './request-submission.ts';

/** `lethe openreplay OPERATION`: OpenReplay's API through the service's own client, with its care about identifiers. */
export function addOpenReplay(program: Command, shell: Shell): void {
  const group = program
    .command('openreplay')
    .description(
      "OpenReplay's own API, one command for each operation; past Lethe, so nothing of it is recorded",
    )
    .option('--connection <name>', 'a connection of the configuration (default: the only one)');
  for (const [name, operation] of Object.entries<Operation>(OPERATIONS)) {
    const command = group.command(name).description(operation.about);
    for (const told of [...operation.needs, ...(operation.takes ?? [])]) {
      for (const [flags, about] of OPTIONS[told]) {
        const needed = operation.needs.includes(told) ? ' (needed)' : '';
        if (told === 'filter' || told === 'column') command.option(flags, about, collect);
        else command.option(flags, `${about}${needed}`);
      }
    }
    if (operation.danger !== undefined) command.option('--yes', `really do it: ${operation.danger}`);
    command.action(act(shell, options, (given) => perform(given, operation)));
    examples(command, [exampleOf(name, operation)]);
  }
}

const EXAMPLE_VALUES: Readonly<Partial<Record<keyof Arguments, string>>> = {
  project: '--project shopKey0000000000000',
  userId: '--user-id-file user.txt',
  job: '--job 17',
  session: '--session 4711',
  name: '--name Shop',
};

function exampleOf(name: string, { needs, danger }: Operation): string {
  const parts = needs.flatMap((told) => EXAMPLE_VALUES[told] ?? []);
  return ['openreplay', name, ...parts, ...(danger === undefined ? ['--json'] : ['--yes'])].join(' ');
}

const FIRST_MS = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;

const timeExpected = 'RFC 3339 (2026-03-01T00:00:00Z), a day (2026-03-01) or epoch ms, not before 2000';
const time = z.string().transform((text, context) => {
  const iso = z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(text).success;
  const ms = /^\d{12,14}$/.test(text) ? Number(text) : iso ? Date.parse(text) : NaN;
  if (ms >= FIRST_MS) return ms;
  context.addIssue(timeExpected);
  return z.NEVER;
});

const filterExpected = 'a JSON object such as {"name":"userId","value":["42"]}';
const filter = z.string().transform((text, context) => {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    context.addIssue(filterExpected);
    return z.NEVER;
  }
});

const options = z.object({
  connection: z.string().optional(),
  yes: z.boolean().default(false),
  project: z.string().optional(),
  userId: z.string().optional(),
  userIdFile: z.string().optional(),
  job: z.string().optional(),
  session: z.string().optional(),
  name: z.string().min(1, '1 to 200 characters').max(200, '1 to 200 characters').optional(),
  platform: z.enum(['web', 'ios'], 'web or ios').optional(),
  query: z.string().optional(),
  queryFile: z.string().optional(),
  from: time.default(FIRST_MS),
  to: time.optional(),
  limit: whole(1, 200).default(50),
  page: whole(1, 1_000_000).default(1),
  sortOrder: z.enum(['asc', 'desc'], 'asc or desc').optional(),
  sortBy: z.string().optional(),
  column: z.array(z.string()).optional(),
  filter: z.array(filter).optional(),
});
type OperationGiven = Given<z.output<typeof options>>;

async function perform(given: OperationGiven, operation: Operation): Promise<ExitStatus> {
  const { io, output } = given;
  const asked = await argumentsOf(given, operation);
  const connection = connectionOf(loadConfig(io.env, { cwd: io.cwd }).connections, given.options.connection);
  assertAllowed(connection, asked);
  // Loaded only here: the other commands need none of it, and it takes a third of a second.
  const { createOpenReplayClient } = await import('../openreplay/client.ts');
  const client = createOpenReplayClient({ ...connection, baseUrl: connection.url, maxSockets: 1 });
  try {
    const outcome = await operation.call(client, asked);
    if (!outcome.ok) throw failureOf(outcome.failure, connection);
    output.value(outcome.value, () => textOf(outcome.value, output));
    return EXIT.ok;
  } finally {
    client.close();
  }
}

async function argumentsOf(
  { options: told, io }: OperationGiven,
  { needs, danger }: Operation,
): Promise<Arguments> {
  if (danger !== undefined && !told.yes)
    throw commandError('USAGE_INVALID', `--yes is needed, as ${danger}.`);
  atMostOneFromInput([told.userId, told.query]);
  const asked: Arguments = {
    ...told,
    to: told.to ?? io.now() + DAY_MS,
    userId: await identifier('user-id', { value: told.userId, file: told.userIdFile }, io),
    query: await privateText('query', { value: told.query, file: told.queryFile }, io),
  };
  const missing = needs.filter((name) => asked[name] === undefined);
  if (missing.length > 0) {
    const flags = missing.map((name) => OPTIONS[name].map(([flag]) => flag).join(' or ')).join(', ');
    throw commandError('USAGE_INVALID', `missing: ${flags}`);
  }
  if (asked.to <= asked.from) throw commandError('USAGE_INVALID', '--to: expected a time after --from');
  return asked;
}

function connectionOf(connections: readonly ConnectionConfig[], name: string | undefined): ConnectionConfig {
  const found =
    name === undefined ? connections : connections.filter((connection) => connection.name === name);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const names = connections.map((connection) => connection.name).join(', ');
  throw commandError('USAGE_INVALID', `--connection: expected one of ${names}`);
}

/** The list of projects that may be touched holds for people, too. */
function assertAllowed({ name, projects }: ConnectionConfig, { project }: Arguments): void {
  if (project === undefined || projects === undefined || projects.includes(project)) return;
  const message = `The configuration does not let the connection ${name} touch this project.`;
  throw new CommandError('OPENREPLAY_CALL_FAILED', message, { status: EXIT.notPermitted });
}

type FailureText = readonly [ExitStatus, string];

function failureOf(failure: CallFailure, { name }: ConnectionConfig): CommandError {
  const [status, message] = describeFailure(failure);
  return new CommandError('OPENREPLAY_CALL_FAILED', `OpenReplay (${name}): ${message}`, { status });
}

function describeFailure(failure: CallFailure): FailureText {
  switch (failure.kind) {
    case 'unsendable':
      return [EXIT.usage, `this ${failure.field} can never be sent safely, so nothing was sent.`];
    case 'unauthorized':
      return [EXIT.notPermitted, 'the API key is refused (401). `lethe doctor` says more.'];
    case 'not_found':
      return [EXIT.notFound, 'there is no such thing (404).'];
    case 'conflict':
      return [EXIT.failed, 'a deletion of this user is under way already (409).'];
    case 'rate_limited':
      return [EXIT.unavailable, `too many calls (429)${waitText(failure.retryAfterMs)}.`];
    default:
      return describeServer(failure);
  }
}

function waitText(ms: number | undefined): string {
  return ms === undefined ? '' : `; wait ${Math.ceil(ms / 1_000)} s`;
}

type ServerFailure = Exclude<
  CallFailure,
  { kind: 'unsendable' | 'unauthorized' | 'not_found' | 'conflict' | 'rate_limited' }
>;

function describeServer(failure: ServerFailure): FailureText {
  switch (failure.kind) {
    case 'rejected':
      return [EXIT.failed, `the call is refused (${failure.status}).`];
    case 'not_available':
      return [
        EXIT.failed,
        `this server does not offer it (${failure.status}): live sessions are Enterprise only.`,
      ];
    case 'redirected':
      return [
        EXIT.unavailable,
        `the configured URL redirects (${failure.status}); redirects are never followed.`,
      ];
    case 'server_error':
      return [EXIT.unavailable, `the server failed (${failure.status}).`];
    case 'unreadable':
      return [EXIT.unavailable, `the answer makes no sense (${failure.status}). \`lethe doctor\` says more.`];
    case 'withheld':
      return [EXIT.unavailable, 'it is left alone for a while; nothing was sent.'];
    case 'unreachable':
      return [EXIT.unavailable, 'it cannot be reached; nothing was sent.'];
    case 'no_answer':
      return [EXIT.unavailable, `no answer (${failure.reason}); it may have been carried out all the same.`];
  }
}

const page = z.object({ items: z.array(z.record(z.string(), z.unknown())), total: z.number().optional() });
const list = z.array(z.record(z.string(), z.unknown()));

/** A table of what is there; a single thing as YAML. */
function textOf(value: unknown, output: Output): string {
  const paged = page.safeParse(value);
  const items = paged.success ? paged.data.items : list.safeParse(value).data;
  if (items === undefined) return readable(value);
  const names = [
    ...new Set(items.flatMap((item) => Object.keys(item).filter((name) => item[name] !== undefined))),
  ];
  const rows = items.map((item) => names.map((name) => cellOf(name, item[name])));
  output.table(
    names.map((name) => ({ title: name, flexible: !/(Key|Id)$/.test(name) || name === 'userId' })),
    rows,
  );
  return paged.data?.total === undefined ? '' : `total ${paged.data.total}`;
}

function cellOf(name: string, value: unknown): string {
  if (value === undefined || value === null) return '–';
  if (typeof value === 'number' && /(Ts|At|timestamp)$/.test(name)) return new Date(value).toISOString();
  return typeof value === 'string' ? value : JSON.stringify(value);
}
