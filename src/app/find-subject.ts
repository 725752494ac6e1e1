import type { CallFailure, Outcome } from '../domain/openreplay.ts';
import type { ErasureRequest, Subject } from '../domain/request.ts';
import type { Connection, Deps } from './ports.ts';
import { CallFailedError, isThere, searchByEmail, valueOf, type Place } from './search-project.ts';

/** The keys of the tenant's projects, as OpenReplay lists them; `fresh` asks it now. */
export type ListProjectKeys = (connection: Connection, fresh: boolean) => Promise<Outcome<readonly string[]>>;

/** A user id in a project that belongs to the subject. */
export interface Match {
  readonly connection: string;
  readonly projectKey: string;
  readonly userId: string;
}

/** What was looked through for an e-mail address, as it stands in the request's events. */
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
      /** Every project that was looked in. */
      readonly places: readonly Omit<Match, 'userId'>[];
      readonly searched: readonly SearchedProject[];
    }
  | { readonly kind: 'project_unknown' }
  | { readonly kind: 'no_projects' };

/** What a search came to, or the call that it could not go on without. */
export type Finding =
  | { readonly ok: true; readonly value: Found }
  | { readonly ok: false; readonly failure: CallFailure; readonly connection: string };

export interface Search {
  readonly scope: Pick<ErasureRequest, 'connection' | 'projectKeys'>;
  readonly subject: Subject;
  /** Whether a user id counts only where it is found; else it is taken as it is, in every project. */
  readonly lookUpUserId: boolean;
  readonly listProjectKeys: ListProjectKeys;
}

type SearchDeps = Pick<Deps, 'connections' | 'emailLocalPart' | 'now'>;

/**
 * Finds where the subject is: a user id is taken as it is, or looked up, in every project of the scope; an e-mail
 * address is searched for in every project, and only users with the very address count.
 */
export async function findSubject(deps: SearchDeps, search: Search): Promise<Finding> {
  try {
    const places = await placesOf(deps, search);
    if (typeof places === 'string') return { ok: true, value: { kind: places } };
    const matches = new Map<string, Match>();
    const searched: SearchedProject[] = [];
    for (const place of places) {
      const at = { connection: place.connection.name, projectKey: place.projectKey };
      const found = await searchProject(deps, place, search);
      for (const userId of found.userIds)
        matches.set(JSON.stringify([at.connection, at.projectKey, userId]), { ...at, userId });
      if (found.searched !== undefined) searched.push({ ...at, ...found.searched });
    }
    const looked = places.map(({ connection, projectKey }) => ({ connection: connection.name, projectKey }));
    return { ok: true, value: { kind: 'found', matches: [...matches.values()], places: looked, searched } };
  } catch (error) {
    if (!(error instanceof CallFailedError)) throw error;
    return { ok: false, failure: error.failure, connection: error.connection };
  }
}

/** The projects to look in. A key that no server lists is never used. */
async function placesOf(
  deps: SearchDeps,
  search: Search,
): Promise<readonly Place[] | 'project_unknown' | 'no_projects'> {
  const { connection: name, projectKeys } = search.scope;
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
  { scope, listProjectKeys }: Search,
): Promise<{ keys: readonly string[]; complete: boolean }> {
  const wanted = wantedOf(connection, scope);
  const known = valueOf(await listProjectKeys(connection, false), connection);
  // What is not known may be newer than what was listed before.
  const listed = lacksAny(known, wanted)
    ? valueOf(await listProjectKeys(connection, true), connection)
    : known;
  return {
    keys: wanted?.filter((key) => listed.includes(key)) ?? listed,
    complete: !lacksAny(listed, wanted),
  };
}

/** Null for every project that the server lists. */
function wantedOf(connection: Connection, { projectKeys }: Search['scope']): readonly string[] | null {
  if (projectKeys === null || connection.projects === null) return projectKeys ?? connection.projects;
  const { projects } = connection;
  return projectKeys.filter((key) => projects.includes(key));
}

function lacksAny(known: readonly string[], wanted: readonly string[] | null): boolean {
  return wanted?.some((key) => !known.includes(key)) ?? false;
}

async function searchProject(
  deps: SearchDeps,
  place: Place,
  { subject, lookUpUserId }: Search,
): Promise<{
  userIds: readonly string[];
  searched?: Omit<SearchedProject, 'connection' | 'projectKey'>;
}> {
  const { userId, email } = subject;
  const isNamed = userId !== undefined && (!lookUpUserId || (await isThere(deps, place, userId)));
  const named = isNamed ? [userId] : [];
  if (email === undefined) return { userIds: named };
  const { candidates, confirmed, unconfirmed } = await searchByEmail(deps, place, email);
  return {
    userIds: [...named, ...confirmed],
    searched: { candidates, unconfirmed, matches: confirmed.length },
  };
}
