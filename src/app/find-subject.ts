import { comparableEmail } from '../domain/email.ts';
import type { CallFailure, OpenReplay, Outcome, RemoteUser } from '../domain/openreplay.ts';
import type { ErasureRequest, Subject } from '../domain/request.ts';
import type { Connection, Deps } from './ports.ts';

/** The keys of the tenant's projects, as OpenReplay lists them; `fresh` asks it now. */
export type ListProjectKeys = (connection: Connection, fresh: boolean) => Promise<Outcome<readonly string[]>>;

/** A user id in a project that belongs to the subject. */
export interface Match {
  readonly connection: string;
  readonly projectKey: string;
  readonly userId: string;
}

/** What was looked through, as it stands in the request's events. */
export interface SearchedProject {
  readonly connection: string;
  readonly projectKey: string;
  /** Users that OpenReplay's search gave, most of them look-alikes. */
  readonly candidates: number;
  /** Of those with the very address, how many OpenReplay no longer knew when they were read. */
  readonly unconfirmed: number;
  readonly matches: number;
}

export type Found =
  | {
      readonly kind: 'found';
      readonly matches: readonly Match[];
      readonly searched: readonly SearchedProject[];
    }
  | { readonly kind: 'project_unknown' }
  | { readonly kind: 'no_projects' };

export interface Search {
  readonly request: Pick<ErasureRequest, 'connection' | 'projectKeys' | 'expectedTasks'>;
  readonly subject: Subject;
  readonly listProjectKeys: ListProjectKeys;
}

/** An answer that a search cannot go on without. */
class CallFailedError extends Error {
  readonly failure: CallFailure;
  constructor(failure: CallFailure) {
    super(failure.kind);
    this.failure = failure;
  }
}

/**
 * Finds where the subject is: a user id is taken as it is, in every project of the request (and looked up only where the
 * submitter said how many to expect); an e-mail address is searched for in every project, and only users with the very
 * address count, each read once more to be sure.
 */
export async function findSubject(deps: Deps, search: Search): Promise<Outcome<Found>> {
  try {
    const places = await placesOf(deps, search);
    if (typeof places === 'string') return { ok: true, value: { kind: places } };
    const matches = new Map<string, Match>();
    const searched: SearchedProject[] = [];
    for (const { connection, projectKey } of places) {
      const found = await searchProject(deps, { connection, projectKey }, search);
      for (const userId of found.userIds) {
        matches.set(JSON.stringify([connection.name, projectKey, userId]), {
          connection: connection.name,
          projectKey,
          userId,
        });
      }
      if (found.searched !== undefined) searched.push(found.searched);
    }
    return { ok: true, value: { kind: 'found', matches: [...matches.values()], searched } };
  } catch (error) {
    if (error instanceof CallFailedError) return { ok: false, failure: error.failure };
    throw error;
  }
}

interface Place {
  readonly connection: Connection;
  readonly projectKey: string;
}

/** The projects to look in. A key that no server lists is never used. */
async function placesOf(
  deps: Pick<Deps, 'connections'>,
  search: Search,
): Promise<readonly Place[] | 'project_unknown' | 'no_projects'> {
  const { connection: name, projectKeys } = search.request;
  const connections = [...deps.connections.values()].filter(
    (connection) => name === null || connection.name === name,
  );
  if (connections.length === 0) throw new Error('the request names no known connection');
  const places: Place[] = [];
  for (const connection of connections) {
    const { keys, complete } = await keysOf(connection, search);
    if (name !== null && !complete) return 'project_unknown';
    places.push(...keys.map((projectKey) => ({ connection, projectKey })));
  }
  const found = places.map(({ projectKey }) => projectKey);
  if (lacksAny(found, projectKeys)) return 'project_unknown';
  return places.length === 0 ? 'no_projects' : places;
}

/** The wanted projects that the server lists, and whether it lists all that are wanted. */
async function keysOf(
  connection: Connection,
  { request, listProjectKeys }: Search,
): Promise<{ keys: readonly string[]; complete: boolean }> {
  const wanted = wantedOf(connection, request);
  const known = valueOf(await listProjectKeys(connection, false));
  // What is not known may be newer than what was listed before.
  const listed = lacksAny(known, wanted) ? valueOf(await listProjectKeys(connection, true)) : known;
  return {
    keys: wanted?.filter((key) => listed.includes(key)) ?? listed,
    complete: !lacksAny(listed, wanted),
  };
}

/** Null for every project that the server lists. */
function wantedOf(connection: Connection, { projectKeys }: Search['request']): readonly string[] | null {
  if (projectKeys === null || connection.projects === null) return projectKeys ?? connection.projects;
  const { projects } = connection;
  return projectKeys.filter((key) => projects.includes(key));
}

function lacksAny(known: readonly string[], wanted: readonly string[] | null): boolean {
  return wanted?.some((key) => !known.includes(key)) ?? false;
}

function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new CallFailedError(outcome.failure);
  return outcome.value;
}

async function searchProject(
  deps: Pick<Deps, 'emailLocalPart'>,
  place: Place,
  { request, subject }: Search,
): Promise<{ userIds: readonly string[]; searched?: SearchedProject }> {
  const { userId, email } = subject;
  const named = userId === undefined ? [] : [userId];
  const known = request.expectedTasks === null ? named : await existing(place, named);
  if (email === undefined) return { userIds: known };
  const { candidates, confirmed, unconfirmed } = await searchByEmail(deps, place, email);
  const searched = {
    connection: place.connection.name,
    projectKey: place.projectKey,
    candidates,
    unconfirmed,
    matches: confirmed.length,
  };
  return { userIds: [...known, ...confirmed], searched };
}

async function existing(
  { connection, projectKey }: Place,
  ids: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const userId of ids) {
    const read = await connection.api.getUser({ projectKey, userId });
    if (read.ok) found.push(userId);
    else if (read.failure.kind !== 'not_found') throw new CallFailedError(read.failure);
  }
  return found;
}

async function searchByEmail(
  { emailLocalPart }: Pick<Deps, 'emailLocalPart'>,
  { connection, projectKey }: Place,
  email: string,
): Promise<{ candidates: number; confirmed: readonly string[]; unconfirmed: number }> {
  const wanted = comparableEmail(email, emailLocalPart);
  const isTheirs = (user: RemoteUser) =>
    user.email !== undefined && comparableEmail(user.email, emailLocalPart) === wanted;
  const candidates = await readAllHits(connection.api, projectKey, email);
  const alike = new Set(candidates.filter(isTheirs).map((user) => user.userId));
  const confirmed: string[] = [];
  for (const userId of alike) {
    const read = await connection.api.getUser({ projectKey, userId });
    // An id that can never be sent cannot be read either; a person has to look at it.
    if (read.ok ? isTheirs(read.value) : read.failure.kind === 'unsendable') confirmed.push(userId);
    else if (!read.ok && read.failure.kind !== 'not_found') throw new CallFailedError(read.failure);
  }
  return { candidates: candidates.length, confirmed, unconfirmed: alike.size - confirmed.length };
}

const HITS_PER_PAGE = 200;
/** Bounds the reading of an answer that never ends: 100,000 users. */
const MAX_PAGES = 500;
/** OpenReplay refuses longer queries; a beginning of the address finds it, too. */
const QUERY_MAX = 100;

/** Every page: servers may give fewer than were asked for, so only an empty one, or the total, is the end. */
async function readAllHits(
  api: OpenReplay,
  projectKey: string,
  email: string,
): Promise<readonly RemoteUser[]> {
  const query = Array.from(email).slice(0, QUERY_MAX).join('');
  const hits: RemoteUser[] = [];
  let total: number | undefined;
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const found = valueOf(await api.searchUsers(projectKey, { query, limit: HITS_PER_PAGE, page }));
    if (page === 1) ({ total } = found);
    hits.push(...found.items);
    if (found.items.length === 0 || (total !== undefined && hits.length >= total)) return hits;
  }
  throw new CallFailedError({ kind: 'unreadable', status: 200 });
}
