import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { acceptTicket } from '../app/accept-ticket.ts';
import { loadConfig, type Config, type SourceConfig } from '../config.ts';
import { isRequest, mapTicket, type MappedTicket, type MappingProblem } from '../domain/ticket.ts';
import { schemeOf } from '../intake/create-source.ts';
import type { SentDelivery } from '../intake/scheme.ts';
import { sourceOptions } from '../open-intake.ts';
import { policyOf } from '../policy-of.ts';
import { apiUrlOf } from './api-address.ts';
import type { Given } from './command.ts';
import { CommandError, commandError, EXIT, type ExitStatus } from './exit-status.ts';
import type { Io } from './io.ts';
import { problemText } from './webhook-problem.ts';

export const testOptions = z.object({ dryRun: z.boolean().default(false) });

/** Signs a payload as its source would and sends it, or shows what the mapping makes of it. */
export async function testWebhook(given: Given<z.output<typeof testOptions>>): Promise<ExitStatus> {
  const { io, args, options } = given;
  const [name = '', file = ''] = args;
  const config = loadConfig(io.env, { cwd: io.cwd });
  const source = sourceNamed(config, name);
  const body = await payloadIn(file, io);
  return options.dryRun ? showMapping(given, { config, source, body }) : sendIt(given, { source, body });
}

function sourceNamed({ intake }: Config, name: string): SourceConfig {
  const source = intake.sources.find((one) => one.name === name);
  if (source !== undefined) return source;
  const names = intake.sources.map((one) => one.name).join(', ');
  const there = names === '' ? 'there is none' : `there are ${names}`;
  throw commandError('USAGE_INVALID', `Expected a source of intake.sources in the configuration; ${there}.`);
}

async function payloadIn(file: string, io: Io): Promise<Uint8Array> {
  try {
    return file === '-' ? await buffer(io.stdin) : await readFile(resolve(io.cwd, file));
  } catch (error) {
    throw commandError('USAGE_INVALID', `The file ${file} cannot be read.`, error);
  }
}

const receipt = z.object({ id: z.string().nullable(), repeated: z.boolean() });
const problem = z.object({ code: z.string(), detail: z.string() });
const ANSWER_TIMEOUT_MS = 30_000;

async function sendIt(
  { io, output, globals }: Given<unknown>,
  { source, body }: { source: SourceConfig; body: Uint8Array },
): Promise<ExitStatus> {
  const scheme = schemeOf(sourceOptions(source));
  const sent = scheme.sign({ body, now: new Date(io.now()), id: `lethe-test-${randomUUID()}` });
  const answer = await answerTo(`${apiUrlOf(globals, io)}/webhooks/${source.name}`, sent, io);
  const parsed = receipt.safeParse(answer.json);
  if (answer.status !== 202 || !parsed.success) {
    const { code, detail } = problem
      .catch({ code: 'API_UNAVAILABLE', detail: 'what answers is not Lethe' })
      .parse(answer.json);
    throw new CommandError(code, detail, {
      status: code === 'API_UNAVAILABLE' ? EXIT.unavailable : EXIT.failed,
    });
  }
  output.value(parsed.data, () =>
    parsed.data.repeated
      ? 'repeated: the very same was delivered before, so nothing follows from it'
      : `stored as ${parsed.data.id ?? ''}; \`lethe webhook deliveries\` shows whether a worker could read it`,
  );
  return EXIT.ok;
}

async function answerTo(
  url: string,
  { headers, body }: SentDelivery,
  io: Io,
): Promise<{ status: number; json: unknown }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      // The secret of a source is told to no other address.
      redirect: 'error',
      signal: AbortSignal.any([io.interrupted, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    });
    return { status: response.status, json: await response.json().catch(() => undefined) };
  } catch (error) {
    throw commandError('API_UNAVAILABLE', `Nothing answers at ${new URL(url).origin}.`, error);
  }
}

interface Trial {
  readonly config: Config;
  readonly source: SourceConfig;
  readonly body: Uint8Array;
}

function showMapping({ output, io }: Given<unknown>, trial: Trial): ExitStatus {
  const seen = readingOf(trial, new Date(io.now()));
  output.value(seen, () => textOf(seen));
  return seen.verdict === 'request' ? EXIT.ok : EXIT.failed;
}

type Reading =
  | { readonly verdict: 'not_matching' }
  | { readonly verdict: 'unmappable'; readonly problems: readonly MappingProblem[] }
  | {
      readonly verdict: 'request';
      readonly read: Readonly<Record<string, unknown>>;
      /** What has to happen before it is carried out. */
      readonly needs: readonly string[];
    };

function readingOf({ config, source, body }: Trial, now: Date): Reading {
  const { rules } = source;
  const value = jsonIn(body);
  if (!isRequest(rules, value)) return { verdict: 'not_matching' };
  const mapping = mapTicket(rules, value);
  if (mapping.kind === 'unmappable') return { verdict: 'unmappable', problems: mapping.problems };
  const { ticket } = mapping;
  const connections = new Map(
    config.connections.map(({ name, projects = null }) => [name, { name, projects }]),
  );
  const accepted = acceptTicket({ connections }, source, { ticket, at: now });
  if ('problems' in accepted) return { verdict: 'unmappable', problems: accepted.problems };
  return { verdict: 'request', read: maskedTicket(ticket), needs: needsOf(config, source, ticket) };
}

function jsonIn(body: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return value;
  } catch {
    throw commandError(
      'USAGE_INVALID',
      'The file holds no JSON in UTF-8: a worker could not read it either.',
    );
  }
}

function needsOf(
  config: Config,
  { name, regulation }: SourceConfig,
  { type }: MappedTicket,
): readonly string[] {
  const policy = policyOf(config.policy.rules, { channel: 'webhook', source: name, regulation, type });
  return [
    ...(policy.identityRequired ? ['a verified identity'] : []),
    ...(policy.approvalsNeeded === 0 ? [] : [`approvals: ${policy.approvalsNeeded}`]),
    ...(policy.coolingOffMs === 0 ? [] : [`cooling off: ${policy.coolingOffMs / 60_000} minutes`]),
  ];
}

/** A reference and project keys name nobody; everything else is only hinted at. */
function maskedTicket(ticket: MappedTicket): Readonly<Record<string, unknown>> {
  const { reference, subject, requester, receivedAt, projectKeys, type } = ticket;
  return {
    ticket: reference,
    ...(subject.userId !== undefined && { userId: masked(subject.userId) }),
    ...(subject.email !== undefined && { email: masked(subject.email) }),
    ...(requester !== undefined && { requester: masked(requester) }),
    ...(receivedAt && { receivedAt: receivedAt.toISOString() }),
    ...(projectKeys && { projectKeys }),
    type,
  };
}

/** Enough to see whether it is the right field: the first sign and the length. */
function masked(text: string): string {
  const signs = Array.from(text);
  return `${signs[0] ?? ''}… (${signs.length} characters)`;
}

function textOf(seen: Reading): string {
  switch (seen.verdict) {
    case 'not_matching':
      return 'not a request: the condition does not hold, so it would be counted and not stored';
    case 'unmappable':
      return ['cannot be mapped; expected', ...seen.problems.map((one) => `  - ${problemText(one)}`)].join(
        '\n',
      );
    case 'request': {
      const lines = Object.entries(seen.read).map(([name, value]) => `  ${name}: ${String(value)}`);
      const needs = seen.needs.length === 0 ? 'nothing: it goes ahead' : seen.needs.join(', ');
      return ['a request, read as', ...lines, `needs before it is carried out: ${needs}`].join('\n');
    }
  }
}
