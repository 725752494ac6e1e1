import { z } from 'zod';
import { attemptOf, type AttemptResult } from '../app/ports/attempt-of.ts';
import type { OutgoingCall, ReplyMoment, ReplyTarget, Sender, TicketReply } from '../app/ports/notify.ts';
import { commentText } from './comment-text.ts';

/** What a ticket is told at a moment. An empty comment is none. */
export interface MomentConfig {
  /** A mustache template. */
  readonly comment?: string | undefined;
  /** Zendesk: the ticket's status from then on. */
  readonly status?: string | undefined;
  /** Jira: id of the transition that the issue takes. */
  readonly transition?: string | undefined;
}

export interface ReplyTargetConfig {
  readonly name: string;
  readonly kind: 'zendesk' | 'jira';
  /** Of the ticket system, without a slash at its end. */
  readonly url: string;
  readonly user: string;
  /** Secret. */
  readonly token: string;
  /** What stands before the ticket in references. */
  readonly prefix: string;
  readonly on: Readonly<Partial<Record<ReplyMoment, MomentConfig | undefined>>>;
}

/** How tickets are called. What fits can stand in a path as it is. */
const TICKET = { zendesk: /^[1-9][0-9]{0,18}$/, jira: /^[A-Z][A-Z0-9_]{1,50}-[1-9][0-9]{0,18}$/ };

/** See ReplyTarget. */
export function createReplyTarget(config: ReplyTargetConfig, sender: Sender): ReplyTarget {
  const system = config.kind === 'zendesk' ? zendesk : jira;
  return {
    name: config.name,
    ticketOf: (reference) => {
      if (!reference.startsWith(config.prefix)) return undefined;
      const ticket = reference.slice(config.prefix.length);
      return TICKET[config.kind].test(ticket) ? ticket : undefined;
    },
    tells: (moment) => {
      const { comment, status, transition } = config.on[moment] ?? {};
      return comment !== '' || status !== undefined || transition !== undefined;
    },
    reply: (reply) => system({ config, sender }, reply),
  };
}

interface System {
  readonly config: ReplyTargetConfig;
  readonly sender: Sender;
}

/** One call comments and changes the status, so both are done or neither is. */
async function zendesk(system: System, reply: TicketReply): Promise<AttemptResult> {
  const { comment, status } = system.config.on[reply.moment] ?? {};
  const path = `/api/v2/tickets/${reply.ticket}`;
  if (reply.looksFirst) {
    const seen = await look(system, `${path}/comments.json?sort_order=desc&per_page=100`, (text) =>
      shows(text, reply.marker),
    );
    if (seen !== 'absent') return seen;
  }
  const ticket = {
    ...(comment !== '' && { comment: { body: commentText(comment, reply), public: false } }),
    ...(status !== undefined && { status }),
  };
  return call(system, { method: 'PUT', path: `${path}.json`, json: { ticket } });
}

async function jira(system: System, reply: TicketReply): Promise<AttemptResult> {
  const { comment, transition } = system.config.on[reply.moment] ?? {};
  const path = `/rest/api/3/issue/${reply.ticket}`;
  const said = comment === '' ? NOTHING_TO_DO : await commentJira(system, `${path}/comment`, reply);
  if (transition === undefined || !isDone(said)) return said;
  return move(system, `${path}/transitions`, { transition, looksFirst: reply.looksFirst, said });
}

const NOTHING_TO_DO: AttemptResult = { outcome: 'found', status: null };

async function commentJira(system: System, path: string, reply: TicketReply): Promise<AttemptResult> {
  if (reply.looksFirst) {
    const seen = await look(system, `${path}?orderBy=-created&maxResults=100`, (text) =>
      shows(text, reply.marker),
    );
    if (seen !== 'absent') return seen;
  }
  const { comment } = system.config.on[reply.moment] ?? {};
  return call(system, { method: 'POST', path, json: { body: adf(commentText(comment, reply)) } });
}

/** A transition that the issue does not offer any more is one that it took already. */
async function move(
  system: System,
  path: string,
  { transition, looksFirst, said }: { transition: string; looksFirst: boolean; said: AttemptResult },
): Promise<AttemptResult> {
  if (looksFirst) {
    const seen = await look(system, path, (text) => offers(text, transition));
    if (seen === 'absent') return said;
    if (!isDone(seen)) return seen;
  }
  return call(system, { method: 'POST', path, json: { transition: { id: transition } } });
}

function isDone({ outcome }: AttemptResult): boolean {
  return outcome === 'delivered' || outcome === 'found';
}

const offered = z.object({ transitions: z.array(z.object({ id: z.string() })) });

function offers(text: string, transition: string): boolean {
  return offered.parse(JSON.parse(text)).transitions.some(({ id }) => id === transition);
}

/** Whether the answer holds what is looked for; one that cannot be read tells nothing, and then nothing is done. */
async function look(
  system: System,
  path: string,
  holds: (text: string) => boolean,
): Promise<AttemptResult | 'absent'> {
  const answer = await system.sender.send(requestOf(system, { method: 'GET', path }));
  const result = attemptOf(answer);
  if (answer.kind !== 'answered' || result.outcome !== 'delivered') return result;
  try {
    if (answer.text === undefined) return { ...result, outcome: 'not_understood' };
    return holds(answer.text) ? { ...result, outcome: 'found' } : 'absent';
  } catch {
    return { ...result, outcome: 'not_understood' };
  }
}

const comments = z.object({ comments: z.array(z.unknown()) });

/** The marker is ASCII without quotes, so it stands in JSON, and in a document of Atlassian's, as it is. */
function shows(text: string, marker: string): boolean {
  return comments
    .parse(JSON.parse(text))
    .comments.some((comment) => JSON.stringify(comment).includes(marker));
}

interface Call {
  readonly method: OutgoingCall['method'];
  readonly path: string;
  readonly json?: object;
}

async function call(system: System, wish: Call): Promise<AttemptResult> {
  return attemptOf(await system.sender.send(requestOf(system, wish)));
}

function requestOf({ config }: System, { method, path, json }: Call): OutgoingCall {
  // With an API token, Zendesk wants the user so marked.
  const user = config.kind === 'zendesk' ? `${config.user}/token` : config.user;
  const authorization = `Basic ${Buffer.from(`${user}:${config.token}`, 'utf8').toString('base64')}`;
  const headers = { authorization, accept: 'application/json' };
  const url = `${config.url}${path}`;
  if (json === undefined) return { method, url, headers };
  const body = Buffer.from(JSON.stringify(json), 'utf8');
  return { method, url, headers: { ...headers, 'content-type': 'application/json' }, body };
}

/** Atlassian Document Format: a paragraph for each line, in which text is text whatever it holds. */
function adf(text: string): object {
  const paragraphs = text.split('\n').filter((line) => line !== '');
  return {
    type: 'doc',
    version: 1,
    content: paragraphs.map((line) => ({ type: 'paragraph', content: [{ type: 'text', text: line }] })),
  };
}
