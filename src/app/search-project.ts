import { comparableEmail } from '../domain/email.ts';
import type { CallFailure, OpenReplay, Outcome, RemoteUser } from '../domain/openreplay.ts';
import { sessionsOf, wholeTime } from '../domain/verify-step.ts';
import type { Connection, Deps } from './ports.ts';

/** An answer that a search cannot go on without. */
export class CallFailedError extends Error {
  readonly failure: CallFailure;
  readonly connection: string;
  constructor(failure: CallFailure, connection: string) {
    super(failure.kind);
    this.failure = failure;
    this.connection = connection;
  }
}

/** The value of a call that a search cannot go on without. */
export function valueOf<T>(outcome: Outcome<T>, { name }: Pick<Connection, 'name'>): T {
  if (!outcome.ok) throw new CallFailedError(outcome.failure, name);
  return outcome.value;
}

/** A project of a connection. */
export interface Place {
  readonly connection: Connection;
  readonly projectKey: string;
}

/**
 * Whether the user is in the project: in the store of users or in that of sessions, which real servers keep apart and
 * clean at different times.
 */
export async function isThere(
  { now }: Pick<Deps, 'now'>,
  { connection, projectKey }: Place,
  userId: string,
): Promise<boolean> {
  const user = { projectKey, userId };
  const read = await connection.api.getUser(user);
  if (read.ok) return true;
  if (read.failure.kind !== 'not_found') throw new CallFailedError(read.failure, connection.name);
  const sessions = await connection.api.listUserSessions(user, {
    ...wholeTime(now().getTime()),
    limit: 1,
    page: 1,
  });
  if (sessions.ok) return sessionsOf(sessions.value) > 0;
  if (sessions.failure.kind === 'not_found') return false;
  throw new CallFailedError(sessions.failure, connection.name);
}

/** What the search for an address brought in one project. */
export interface EmailSearch {
  /** Users that the search gave, most of them look-alikes. */
  readonly candidates: number;
  /** User ids that belong to the very address. */
  readonly confirmed: readonly string[];
  /** Of those listed with the very address, how many could not be read as such. */
  readonly unconfirmed: number;
}

/** Finds the users with the very address, each read once more to be sure. */
export async function searchByEmail(
  { emailLocalPart }: Pick<Deps, 'emailLocalPart'>,
  place: Place,
  email: string,
): Promise<EmailSearch> {
  const { connection, projectKey } = place;
  const wanted = comparableEmail(email, emailLocalPart);
  const isTheirs = (user: RemoteUser) =>
    user.email !== undefined && comparableEmail(user.email, emailLocalPart) === wanted;
  const candidates = await readAllHits(place, queryFor(email));
  const alike = new Set(candidates.filter(isTheirs).map((user) => user.userId));
  const confirmed: string[] = [];
  for (const userId of alike) {
    const read = await connection.api.getUser({ projectKey, userId });
    // An id that can never be sent cannot be read either; a person has to look at it.
    if (read.ok ? read.value.userId === userId && isTheirs(read.value) : read.failure.kind === 'unsendable')
      confirmed.push(userId);
    else if (!read.ok && read.failure.kind !== 'not_found')
      throw new CallFailedError(read.failure, connection.name);
  }
  return { candidates: candidates.length, confirmed, unconfirmed: alike.size - confirmed.length };
}

/** OpenReplay refuses longer queries. */
const QUERY_MAX = 100;

/**
 * The longest part of the address that every server looks for as it is. Real ones take `\` for the beginning of an
 * escape and may keep the five characters of HTML escaped; `%` and `_` only bring more look-alikes.
 */
function queryFor(email: string): string {
  const parts = email.split(/[\\&<>"']+/);
  const longest = parts.reduce((best, part) => (part.length > best.length ? part : best), '');
  return Array.from(longest).slice(0, QUERY_MAX).join('');
}

const HITS_PER_PAGE = 200;
/** Bounds the reading of an answer that never ends: 100,000 users. */
const MAX_PAGES = 500;

/**
 * Every page: servers may give fewer than were asked for, so only an empty one, or the total, is the end. Pages shift
 * while users come and go, so who comes twice counts once.
 */
async function readAllHits({ connection, projectKey }: Place, query: string): Promise<readonly RemoteUser[]> {
  const { api }: { api: OpenReplay } = connection;
  const hits = new Map<string, RemoteUser>();
  let total: number | undefined;
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const read = await api.searchUsers(projectKey, { query, limit: HITS_PER_PAGE, page });
    const found = valueOf(read, connection);
    if (page === 1) ({ total } = found);
    for (const user of found.items) hits.set(JSON.stringify([user.userId, user.email ?? null]), user);
    const complete = total !== undefined && hits.size >= total;
    if (found.items.length === 0 || complete) return [...hits.values()];
  }
  throw new CallFailedError({ kind: 'unreadable', status: 200 }, connection.name);
}
