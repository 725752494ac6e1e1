import { isEmailAddress } from './email.ts';
import { valueAtPointer } from './json-pointer.ts';
import { REQUEST_TYPES, type RequestType, type Subject } from './request.ts';

/** The kinds of systems that deliver tickets: each signs in its own way. */
export const SOURCE_KINDS = [
  'standard-webhooks',
  'zendesk',
  'jira',
  'jira-automation',
  'github',
  'shared-secret',
] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** What one ticket says, and how a source's configuration reads it. Nothing here holds or repeats what a ticket says. */

/** Tried in this order: the first that finds something counts. */
export type Pointers = readonly string[];

/** Holds where one of `is` stands at the pointers, or in the list that stands there. */
export interface Condition {
  readonly pointers: Pointers;
  /** Where the list has objects: what of each is compared. */
  readonly each?: string | undefined;
  /** Compared as texts. */
  readonly is: readonly string[];
}

/** Which tickets of a source are requests, and how they are read. */
export interface TicketRules {
  /** All have to hold; `always`: every ticket is one. */
  readonly condition: 'always' | readonly Condition[];
  readonly ticket: Pointers;
  readonly userId: Pointers;
  readonly email: Pointers;
  readonly requester: Pointers;
  readonly receivedAt: Pointers;
  readonly projectKeys: Pointers | { readonly fixed: readonly string[] };
  /** One for all tickets, or found in each: which text stands for which type. */
  readonly type:
    RequestType | { readonly pointers: Pointers; readonly words: Readonly<Record<string, RequestType>> };
}

/** The things that are read of a ticket. */
export const TICKET_FIELDS = [
  'ticket',
  'userId',
  'email',
  'requester',
  'receivedAt',
  'projectKeys',
  'type',
] as const;
export type TicketField = (typeof TICKET_FIELDS)[number];

/** Something else was expected at these pointers of the delivery. No value of it is repeated. */
export interface MappingProblem {
  /** Null where it is the delivery as a whole. */
  readonly field: TicketField | null;
  readonly pointers: Pointers;
  readonly expected: string;
}

export interface MappedTicket {
  /** The source's own name of the ticket, such as an issue key. */
  readonly reference: string;
  readonly subject: Subject;
  readonly requester: string | undefined;
  readonly receivedAt: Date | undefined;
  readonly projectKeys: readonly string[] | undefined;
  readonly type: RequestType;
}

export type Mapping =
  | { readonly kind: 'mapped'; readonly ticket: MappedTicket }
  | { readonly kind: 'unmappable'; readonly problems: readonly MappingProblem[] };

/** Whether a ticket is a request at all. */
export function isRequest({ condition }: Pick<TicketRules, 'condition'>, body: unknown): boolean {
  return condition === 'always' || condition.every((one) => holds(one, body));
}

function holds({ pointers, each = '', is }: Condition, body: unknown): boolean {
  const found = firstFound(body, pointers);
  const candidates: readonly unknown[] = Array.isArray(found) ? found : [found];
  return candidates.some((one) => {
    const text = textOf(valueAtPointer(one, each));
    return text !== undefined && is.includes(text);
  });
}

/** The reference alone, for a ticket that is no request any more; undefined where there is none. */
export function referenceOf(rules: TicketRules, body: unknown): string | undefined {
  const found = textAt(body, rules.ticket);
  return typeof found === 'string' && isReference(found) ? found : undefined;
}

/** Reads a ticket, and names everything that cannot be read at once. */
export function mapTicket(rules: TicketRules, body: unknown): Mapping {
  const reading = new Reading(body);
  const reference = reading.reference(rules);
  const subject = reading.subject(rules);
  const ticket = {
    subject,
    requester: reading.text('requester', rules.requester),
    receivedAt: reading.time(rules.receivedAt),
    projectKeys:
      'fixed' in rules.projectKeys ? rules.projectKeys.fixed : reading.projectKeys(rules.projectKeys),
    type: reading.type(rules.type),
  };
  if (reference !== undefined && Object.values(subject).includes(reference)) {
    reading.note('ticket', rules.ticket, 'something else than the identifier of the data subject');
  }
  const { problems } = reading;
  if (problems.length > 0 || reference === undefined) return { kind: 'unmappable', problems };
  return { kind: 'mapped', ticket: { ...ticket, reference } };
}

/** As over the API. */
const TEXT_MAX = 4_096;
const TEXT = `a text of at most ${TEXT_MAX} characters, or a whole number that is not too large to be exact`;
const REFERENCE =
  'a reference of the ticket of 1 to 200 characters, without control characters and no e-mail address';
const REFERENCE_MAX = 200;
// eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** It is shown in lists, so it must not be whom the request is about. */
function isReference(text: string): boolean {
  return (
    text.isWellFormed() &&
    Array.from(text).length <= REFERENCE_MAX &&
    !CONTROL.test(text) &&
    !text.includes('@')
  );
}

/** As RFC 3339 writes it, or as Jira does: `+0000` for `+00:00`. */
const TIME = /^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)(?:([Zz])|([+-]\d{2}):?(\d{2}))$/;

function timeOf(text: string): Date | undefined {
  const [, time, utc, hours, minutes] = TIME.exec(text) ?? [];
  if (time === undefined) return undefined;
  const date = new Date(
    `${time.toUpperCase()}${utc === undefined ? `${hours ?? ''}:${minutes ?? ''}` : 'Z'}`,
  );
  return date.getTime() >= 0 ? date : undefined;
}

/** One ticket while it is read; notes what is not as it was expected. */
class Reading {
  readonly problems: MappingProblem[] = [];
  private readonly body: unknown;

  constructor(body: unknown) {
    this.body = body;
  }

  note(field: TicketField, pointers: Pointers, expected: string): void {
    this.problems.push({ field, pointers, expected });
  }

  reference({ ticket }: TicketRules): string | undefined {
    const found = textAt(this.body, ticket);
    if (typeof found === 'string' && isReference(found)) return found;
    this.note('ticket', ticket, REFERENCE);
    return undefined;
  }

  subject({ userId: byId, email: byEmail }: TicketRules): Subject {
    const userId = this.text('userId', byId);
    const email = this.text('email', byEmail);
    if (email !== undefined && !isEmailAddress(email)) this.note('email', byEmail, 'an e-mail address');
    if (
      userId === undefined &&
      email === undefined &&
      this.problems.every(({ field }) => !isSubjectField(field))
    ) {
      const field = byId.length > 0 ? 'userId' : 'email';
      this.note(field, [...byId, ...byEmail], "the data subject's user id or e-mail address");
    }
    return { ...(userId !== undefined && { userId }), ...(email !== undefined && { email }) };
  }

  text(field: TicketField, pointers: Pointers): string | undefined {
    const found = textAt(this.body, pointers);
    if (typeof found === 'string' && found.length <= TEXT_MAX) return found;
    if (found !== undefined) this.note(field, pointers, TEXT);
    return undefined;
  }

  time(pointers: Pointers): Date | undefined {
    const text = this.text('receivedAt', pointers);
    if (text === undefined) return undefined;
    const time = timeOf(text);
    if (time === undefined) this.note('receivedAt', pointers, 'an RFC 3339 date and time');
    return time;
  }

  projectKeys(pointers: Pointers): readonly string[] | undefined {
    const found = firstFound(this.body, pointers);
    if (found === undefined) return undefined;
    const items: readonly unknown[] = Array.isArray(found)
      ? found
      : (textOf(found)?.split(/[\s,;]+/) ?? [{}]);
    const keys = items.map(textOf).filter((key) => key !== '');
    const texts = keys.flatMap((key) => key ?? []);
    if (texts.length > 0 && texts.length === keys.length) return texts;
    this.note('projectKeys', pointers, 'a list of project keys, or a text of them with spaces between');
    return undefined;
  }

  type(rule: TicketRules['type']): RequestType {
    if (typeof rule === 'string') return rule;
    const text = textAt(this.body, rule.pointers);
    const word = Object.entries(rule.words).find(([one]) => one === text)?.[1];
    if (word !== undefined) return word;
    this.note(
      'type',
      rule.pointers,
      `one of the words that the configuration knows: ${Object.keys(rule.words).join(', ')}`,
    );
    return REQUEST_TYPES[0];
  }
}

function isSubjectField(field: TicketField | null): boolean {
  return field === 'userId' || field === 'email';
}

/**
 * A text of JSON's scalars, since forms give numbers and switches where people see texts. A number that JavaScript cannot hold
 * exactly would be somebody else's id.
 */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'boolean' ? String(value) : undefined;
}

/** Null and the empty text are nothing: forms send them for what was left out. */
function firstFound(body: unknown, pointers: Pointers): unknown {
  return pointers
    .map((pointer) => valueAtPointer(body, pointer))
    .find((value) => value !== undefined && value !== null && value !== '');
}

const OTHER = Symbol('neither a text nor a number');
function textAt(body: unknown, pointers: Pointers): string | typeof OTHER | undefined {
  const found = firstFound(body, pointers);
  return found === undefined ? undefined : (textOf(found) ?? OTHER);
}
