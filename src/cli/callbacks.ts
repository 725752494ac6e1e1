import type { Command } from 'commander';
import { z } from 'zod';
import { CALLBACK_EVENTS, DELIVERY_STATES } from '../domain/callback.ts';
import { addApiOptions } from './api-address.ts';
import { understood } from './api-client.ts';
import { collect, examples, noOptions, whole, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, answered, type GivenApi } from './over-api.ts';
import { shortTime } from './output.ts';

const SOME_CALLBACK = 'cb_0192f0c1a2b37c4d8e5f60718293a4b5';
const SOME_DELIVERY = 'dl_0192f0c1a2b37c4d8e5f60718293a4b5';
/** As the API bounds it. */
const GRACE_SECONDS_MAX = 604_800;

/** `lethe callbacks`: who is told of events, and what became of each delivery. */
export function addCallbacks(program: Command, shell: Shell): void {
  const group = addApiOptions(
    program.command('callbacks').description('who is told what happens to requests'),
  );
  addRegistering(group, shell);
  addDelivering(group, shell);
}

function addRegistering(group: Command, shell: Shell): void {
  examples(
    group
      .command('create')
      .description('registers a callback; its secret is shown this once')
      .option('--name <name>', 'for people, 1 to 100 characters (needed)')
      .option('--to <url>', 'where events are sent, https (needed)')
      .option('--event <event>', 'of docs/callbacks.md; may be given again (needed)', collect)
      .action(actOverApi(shell, createOptions, create)),
    ['callbacks create --name intranet --to https://hooks.example.com/lethe --event request.completed'],
  );
  examples(
    group
      .command('list')
      .description('all callbacks; with --json one a line')
      .action(actOverApi(shell, noOptions, list)),
    ['callbacks list', `callbacks list --json | jq -r 'select(.state != "active") | .name'`],
  );
  examples(
    group
      .command('update <id>')
      .description('changes a callback; what is not given stays')
      .option('--name <name>', 'for people')
      .option('--to <url>', 'where events are sent, https')
      .option('--event <event>', 'in place of all events so far; may be given again', collect)
      .option('--state <state>', 'active or disabled')
      .action(actOverApi(shell, updateOptions, update)),
    [`callbacks update ${SOME_CALLBACK} --state active`],
  );
  examples(
    group
      .command('delete <id>')
      .description('ends a callback for good, with the log of its deliveries')
      .action(actOverApi(shell, noOptions, command('/delete'))),
    [`callbacks delete ${SOME_CALLBACK}`],
  );
  examples(
    group
      .command('rotate-secret <id>')
      .description('gives a callback a new secret, which is shown this once')
      .option('--grace <seconds>', 'how long is signed with the old one too (default 86400)')
      .action(actOverApi(shell, rotateOptions, rotate)),
    [`callbacks rotate-secret ${SOME_CALLBACK} --grace 3600`],
  );
}

function addDelivering(group: Command, shell: Shell): void {
  examples(
    group
      .command('test <id>')
      .description('sends a callback.test')
      .action(actOverApi(shell, noOptions, command('/test'))),
    [`callbacks test ${SOME_CALLBACK}`],
  );
  examples(
    group
      .command('deliveries <id>')
      .description('the deliveries of a callback, newest first; with --json one a line')
      .option('--state <state>', DELIVERY_STATES.join(', '))
      .option('--limit <count>', 'at most so many (default 50)')
      .action(actOverApi(shell, deliveriesOptions, deliveries)),
    [`callbacks deliveries ${SOME_CALLBACK} --state failed`],
  );
  examples(
    group
      .command('redeliver <id> <delivery>')
      .description('sends a delivery once more, with the same webhook-id')
      .action(
        actOverApi(shell, noOptions, (given) =>
          command(`/deliveries/${encodeURIComponent(given.args[1] ?? '')}/redeliver`)(given),
        ),
      ),
    [`callbacks redeliver ${SOME_CALLBACK} ${SOME_DELIVERY}`],
  );
}

const needed = z.string('a text: it is needed').min(1, 'a text: it is needed');
const expectedEvents = `one or more of ${CALLBACK_EVENTS.join(', ')}`;
const events = z.array(z.enum(CALLBACK_EVENTS, expectedEvents), expectedEvents);
const createOptions = z.object({ name: needed, to: needed, event: events });
const updateOptions = z.object({
  name: z.string().optional(),
  to: z.string().optional(),
  event: events.optional(),
  state: z.enum(['active', 'disabled'], 'active or disabled').optional(),
});
const rotateOptions = z.object({ grace: whole(0, GRACE_SECONDS_MAX).optional() });
const deliveriesOptions = z.object({
  state: z.enum(DELIVERY_STATES, `one of ${DELIVERY_STATES.join(', ')}`).optional(),
  limit: whole(1, 200).optional(),
});

async function create(given: GivenApi<z.output<typeof createOptions>>): Promise<ExitStatus> {
  const { name, to: url, event } = given.options;
  const body = { name, url, events: event };
  return answered(given, await given.api.ask({ method: 'POST', path: '/v1/callbacks', body }));
}

function pathOf({ args }: Pick<GivenApi<unknown>, 'args'>, more: string): string {
  return `/v1/callbacks/${encodeURIComponent(args[0] ?? '')}${more}`;
}

/** A command on a callback that needs no more than its id. */
function command(more: string): (given: GivenApi<unknown>) => Promise<ExitStatus> {
  return async (given) =>
    answered(given, await given.api.ask({ method: 'POST', path: pathOf(given, more), body: {} }));
}

async function update(given: GivenApi<z.output<typeof updateOptions>>): Promise<ExitStatus> {
  const { name, to: url, event, state } = given.options;
  const body = { name, url, events: event, state };
  return answered(given, await given.api.ask({ method: 'POST', path: pathOf(given, '/update'), body }));
}

async function rotate(given: GivenApi<z.output<typeof rotateOptions>>): Promise<ExitStatus> {
  const body = { graceSeconds: given.options.grace };
  return answered(
    given,
    await given.api.ask({ method: 'POST', path: pathOf(given, '/rotate-secret'), body }),
  );
}

const items = z.object({ items: z.array(z.unknown()) });
const callback = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  failingSince: z.string().nullish(),
});

async function list({ api, output }: GivenApi<unknown>): Promise<ExitStatus> {
  const answer = understood(items, await api.ask({ method: 'GET', path: '/v1/callbacks' }));
  output.items(answer.items);
  output.table(
    [{ title: 'id' }, { title: 'state' }, { title: 'failing since' }, { title: 'name', flexible: true }],
    understood(z.array(callback), answer.items).map((one) => [
      one.id,
      one.state,
      shortTime(one.failingSince),
      one.name,
    ]),
  );
  return EXIT.ok;
}

const delivery = z.object({
  id: z.string(),
  type: z.string(),
  state: z.string(),
  createdAt: z.string(),
  nextAttemptAt: z.string().nullish(),
  attempts: z.array(z.object({ outcome: z.string(), status: z.number().nullish() })),
});

async function deliveries(given: GivenApi<z.output<typeof deliveriesOptions>>): Promise<ExitStatus> {
  const { state, limit } = given.options;
  const query = { state, limit: limit === undefined ? undefined : String(limit) };
  const path = pathOf(given, '/deliveries');
  const answer = understood(items, await given.api.ask({ method: 'GET', path, query }));
  given.output.items(answer.items);
  given.output.table(
    [
      { title: 'id' },
      { title: 'event' },
      { title: 'state' },
      { title: 'since' },
      { title: 'next attempt' },
      { title: 'last outcome', flexible: true },
    ],
    understood(z.array(delivery), answer.items).map((one) => [
      one.id,
      one.type,
      one.state,
      shortTime(one.createdAt),
      shortTime(one.nextAttemptAt),
      lastOutcome(one.attempts[0]),
    ]),
  );
  return EXIT.ok;
}

function lastOutcome(last: { outcome: string; status?: number | null | undefined } | undefined): string {
  if (last === undefined) return '–';
  return typeof last.status === 'number' ? `${last.outcome} (${last.status})` : last.outcome;
}
