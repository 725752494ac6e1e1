import {
  type Gap,
  type GapCount,
  type GapReason,
  type PackageFile,
  type Progress,
} from './access-package.ts';
import type { CallFailure, Outcome, Page, WholeRecord, WholeSession } from './openreplay.ts';

/** The next call that a gathering needs. */
export type NextRead =
  | { readonly kind: 'user' }
  | { readonly kind: 'sessions'; readonly page: number }
  | { readonly kind: 'events'; readonly sessionId: string; readonly page: number };

export type ReadAnswer =
  | { readonly kind: 'user'; readonly read: Outcome<WholeRecord> }
  | { readonly kind: 'sessions'; readonly read: Outcome<Page<WholeSession>> }
  | { readonly kind: 'events'; readonly sessionId: string; readonly read: Outcome<Page<WholeRecord>> };

/** What one answer adds to the package, and how far the gathering has come with it. */
export interface Gathered {
  readonly progress: Progress;
  readonly lines: readonly { readonly file: PackageFile; readonly value: unknown }[];
}

/** Bounds the reading of an answer that never ends. */
const MAX_PAGES = 5_000;
/** One session that the server fails at so often in a row is left out, and said to be. */
const TRIES_OF_EVENTS = 8;

/** What is to be read next; undefined when all is. */
export function nextRead(progress: Progress): NextRead | undefined {
  const [sessionId] = progress.pending;
  switch (progress.at) {
    case 'user':
      return { kind: 'user' };
    case 'sessions':
      return { kind: 'sessions', page: progress.page };
    case 'events':
      if (sessionId === undefined) throw new Error('events of no session');
      return { kind: 'events', sessionId, page: progress.eventPage };
    case 'done':
      return undefined;
    default:
      return progress.at satisfies never;
  }
}

/**
 * What follows from an answer. What can never be read becomes a gap, so that it is said and the rest is given; what may
 * be read later is a failure, to be tried again.
 *
 * @param attempts at this call that failed in a row, this one included where it failed
 */
export function afterRead(
  progress: Progress,
  answer: ReadAnswer,
  attempts: number,
): Gathered | { readonly failure: CallFailure } {
  switch (answer.kind) {
    case 'user':
      return afterUser(progress, answer.read);
    case 'sessions':
      return afterSessions(progress, answer.read);
    case 'events':
      return afterEvents(progress, answer, attempts);
    default:
      return answer satisfies never;
  }
}

function afterUser(progress: Progress, read: Outcome<WholeRecord>) {
  const on: Progress = { ...progress, at: 'sessions' };
  if (read.ok) {
    return { progress: { ...on, userKnown: true }, lines: [{ file: 'user', value: read.value } as const] };
  }
  if (read.failure.kind === 'not_found') return { progress: { ...on, userKnown: false }, lines: [] };
  return isFinal(read.failure) ? withGap(on, { what: 'user', reason: read.failure.kind }) : read;
}

function afterSessions(progress: Progress, read: Outcome<Page<WholeSession>>) {
  if (!read.ok) {
    const { kind: reason } = read.failure;
    return isFinal(read.failure) ? withGap(finished(progress), { what: 'sessions', reason }) : read;
  }
  const { items, total } = read.value;
  const said = progress.page === 1 ? (total ?? null) : progress.said;
  const listed = progress.listed + items.length;
  const own = items.filter((session) => !session.ofSomebodyElse);
  const lastPageRead = items.length === 0 || (said !== null && listed >= said);
  const on: Progress = {
    ...progress,
    at: 'events',
    page: progress.page + 1,
    ...{ said, listed, lastPageRead },
    pending: own.map(({ sessionId }) => sessionId),
    sessions: progress.sessions + own.length,
  };
  const strangers = items.length - own.length;
  const lines = own.map(({ record }) => ({ file: 'sessions', value: record }) as const);
  const { progress: counted, lines: gaps } = withGaps(
    on,
    Array.from({ length: strangers }, () => ({ what: 'sessions', reason: 'of_somebody_else' })),
  );
  return added({ progress: counted, lines: [...lines, ...gaps] });
}

type EventsAnswer = Extract<ReadAnswer, { kind: 'events' }>;

function afterEvents(progress: Progress, { sessionId, read }: EventsAnswer, attempts: number) {
  if (read.ok) return afterEventPage(progress, sessionId, read.value);
  const { failure } = read;
  const given = isFinal(failure) || (isOfThisCall(failure) && attempts >= TRIES_OF_EVENTS);
  if (!given) return read;
  return added(withGap(nextSession(progress), { what: 'events', reason: failure.kind, sessionId }));
}

function afterEventPage(
  progress: Progress,
  sessionId: string,
  { items, total }: Page<WholeRecord>,
): Gathered {
  const eventsSaid = progress.eventPage === 1 ? (total ?? null) : progress.eventsSaid;
  const eventsListed = progress.eventsListed + items.length;
  const on: Progress = {
    ...progress,
    ...{ eventsSaid, eventsListed },
    eventPage: progress.eventPage + 1,
    events: progress.events + items.length,
  };
  const lines = items.map((event) => ({ file: 'events', value: { sessionId, event } }) as const);
  const left = eventsSaid === null ? Infinity : eventsSaid - eventsListed;
  const ended = items.length === 0 || left <= 0;
  if (!ended && on.eventPage <= MAX_PAGES) return { progress: on, lines };
  const reason = shortfall({ ended, left });
  const next = nextSession(on);
  if (reason === undefined) return added({ progress: next, lines });
  return joined(lines, withGap(next, { what: 'events', reason, sessionId }));
}

/** Why a list that is read no further may lack something. */
function shortfall({ ended, left }: { ended: boolean; left: number }): GapReason | undefined {
  if (!ended) return 'too_many_pages';
  return Number.isFinite(left) && left > 0 ? 'fewer_than_said' : undefined;
}

function joined(lines: Gathered['lines'], more: Gathered): Gathered {
  return added({ progress: more.progress, lines: [...lines, ...more.lines] });
}

/** Reading goes on with the next session of the page. */
function nextSession(progress: Progress): Progress {
  return {
    ...progress,
    pending: progress.pending.slice(1),
    eventPage: 1,
    eventsSaid: null,
    eventsListed: 0,
  };
}

/** When the events of a page's sessions are read, its next page is; when there is none, all is. */
function added(gathered: Gathered): Gathered {
  const { progress, lines } = gathered;
  if (progress.at !== 'events' || progress.pending.length > 0) return gathered;
  if (!progress.lastPageRead && progress.page <= MAX_PAGES) {
    return { progress: { ...progress, at: 'sessions' }, lines };
  }
  // Sessions that disappeared meanwhile shift the pages, so others may have been passed over.
  const left = progress.said === null ? Infinity : progress.said - progress.listed;
  const reason = shortfall({ ended: progress.lastPageRead, left });
  const done = finished(progress);
  return reason === undefined
    ? { progress: done, lines }
    : joined(lines, withGap(done, { what: 'sessions', reason }));
}

function finished(progress: Progress): Progress {
  return { ...progress, at: 'done', pending: [] };
}

function withGap(progress: Progress, gap: Gap): Gathered {
  return withGaps(progress, [gap]);
}

function withGaps(progress: Progress, more: readonly Gap[]): Gathered {
  const gaps = more.reduce((counts, gap) => counted(counts, gap), progress.gaps);
  return { progress: { ...progress, gaps }, lines: more.map((value) => ({ file: 'gaps', value })) };
}

function counted(counts: readonly GapCount[], { what, reason }: Gap): readonly GapCount[] {
  const isSame = (other: GapCount) => other.what === what && other.reason === reason;
  const count = (counts.find(isSame)?.count ?? 0) + 1;
  return [...counts.filter((other) => !isSame(other)), { what, reason, count }];
}

/** Trying again brings the same answer. */
function isFinal({ kind }: CallFailure): boolean {
  return kind === 'not_found' || kind === 'rejected' || kind === 'unsendable' || kind === 'not_available';
}

/** The server answers, but not to this. While it does not answer at all, nothing is given up. */
function isOfThisCall({ kind }: CallFailure): boolean {
  return kind === 'unreadable' || kind === 'server_error';
}
