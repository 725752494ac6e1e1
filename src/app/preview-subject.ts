import { liveSessionsOf } from '../domain/live-step.ts';
import { unroutableReason } from '../domain/identifiers.ts';
import type { RequestAttention } from '../domain/request.ts';
import { sessionsOf, wholeTime } from '../domain/verify-step.ts';
import { boundedCalls } from './bounded-calls.ts';
import {
  checkSubmission,
  SubmissionInvalidError,
  type Accepted,
  type Submission,
} from './check-submission.ts';
import { doubtAbout } from './discover-subject.ts';
import { findSubject, type Found, type Match } from './find-subject.ts';
import { OpenReplayUnavailableError } from './openreplay-unavailable.ts';
import type { Connection, Deps } from './ports.ts';
import type { PreviewedUser, PreviewView } from './preview-schema.ts';
import { recordAdminEvent } from './record-admin-event.ts';
import { REQUEST_ATTENTIONS } from './request-view.ts';
import { CallFailedError, valueOf } from './search-project.ts';

/** Somebody waits for the answer, and a proxy before it may wait for 30 s. */
const WITHIN_MS = 20_000;
/** Users that are read at the same time. */
const USERS_AT_A_TIME = 4;

export interface PreviewQuery extends Pick<Submission, 'subject' | 'connection' | 'projectKeys'> {
  readonly apiKeyId: string;
  /** How long OpenReplay may take, all calls together. */
  readonly withinMs?: number;
}

/**
 * What a request for a subject would find just now. Stores nothing but that it was asked, and by whom: written before
 * anybody is looked for.
 *
 * @throws SubmissionInvalidError, also for projects that no server lists; OpenReplayUnavailableError
 */
export async function previewSubject(deps: Deps, query: PreviewQuery): Promise<PreviewView> {
  const accepted = checkSubmission(deps, query);
  await recordPreview(deps, accepted, query.apiKeyId);
  const { withinMs = WITHIN_MS } = query;
  const bounded = new Map(
    Array.from(deps.connections, ([name, connection]) => [name, boundedCalls(connection, withinMs)]),
  );
  const subject = deps.vault.subjectRefs(accepted.subject).map((ref) => ({
    ref: ref.value,
    kind: ref.kind,
    keyVersion: ref.keyVersion,
  }));
  const nothing = { subject, found: 0, users: [], searched: [] };
  if (accepted.unroutable !== undefined) return { ...nothing, ...forPerson('unroutable') };
  const found = await search({ ...deps, connections: bounded }, accepted);
  if (found.kind === 'no_projects') return { ...nothing, ...forPerson('no_projects') };
  const attention = doubtAbout(deps, null, found);
  const shown = attention === 'too_many_matches' ? found.matches.slice(0, deps.maxMatches) : found.matches;
  return {
    subject,
    found: found.matches.length,
    ...forPerson(attention),
    users: await readUsers({ ...deps, connections: bounded }, shown),
    searched: searchedView(found),
  };
}

async function recordPreview(deps: Deps, accepted: Accepted, apiKeyId: string): Promise<void> {
  const subjects = deps.vault.subjectRefs(accepted.subject).map((ref) => ({
    subject_ref: ref.value,
    subject_kind: ref.kind,
    subject_key_version: ref.keyVersion,
  }));
  const { connection, projectKeys } = accepted;
  await deps.store.transaction((tx) =>
    recordAdminEvent(tx, deps, {
      type: 'subject.previewed',
      actor: { kind: 'api_key', id: apiKeyId },
      data: { subjects, connection, project_keys: projectKeys },
    }),
  );
}

function forPerson(attention: RequestAttention | undefined): Pick<PreviewView, 'attention' | 'explanation'> {
  return attention === undefined
    ? { attention: null, explanation: null }
    : { attention, explanation: REQUEST_ATTENTIONS[attention] };
}

async function search(
  deps: Deps,
  { subject, connection, projectKeys }: Accepted,
): Promise<Exclude<Found, { kind: 'project_unknown' }>> {
  const finding = await findSubject(deps, {
    scope: { connection, projectKeys },
    subject,
    lookUpUserId: true,
    listProjectKeys: async ({ api }) => {
      const read = await api.listProjects();
      return read.ok ? { ok: true, value: read.value.map((project) => project.projectKey) } : read;
    },
  });
  if (!finding.ok) throw new OpenReplayUnavailableError(finding.connection, finding.failure);
  if (finding.value.kind === 'project_unknown') {
    const expected = 'projects that OpenReplay lists; it does not know one of these';
    throw new SubmissionInvalidError([{ pointer: '/projectKeys', expected }]);
  }
  return finding.value;
}

type FoundSubject = Extract<Found, { kind: 'found' }>;

function searchedView({ places, matches, searched }: FoundSubject): PreviewView['searched'] {
  return places.map(({ connection, projectKey }) => {
    const isHere = (at: Omit<Match, 'userId'>) =>
      at.connection === connection && at.projectKey === projectKey;
    const byEmail = searched.find(isHere);
    return {
      connection,
      projectKey,
      found: matches.filter(isHere).length,
      byEmail:
        byEmail === undefined
          ? null
          : {
              candidates: byEmail.candidates,
              unconfirmed: byEmail.unconfirmed,
              matches: byEmail.matches,
            },
    };
  });
}

async function readUsers(deps: Deps, matches: readonly Match[]): Promise<PreviewedUser[]> {
  const users: PreviewedUser[] = [];
  try {
    for (let from = 0; from < matches.length; from += USERS_AT_A_TIME) {
      const some = matches.slice(from, from + USERS_AT_A_TIME);
      users.push(...(await Promise.all(some.map((match) => readUser(deps, match)))));
    }
  } catch (error) {
    if (error instanceof CallFailedError)
      throw new OpenReplayUnavailableError(error.connection, error.failure);
    throw error;
  }
  return users;
}

async function readUser(deps: Deps, { connection: name, projectKey, userId }: Match): Promise<PreviewedUser> {
  const connection = deps.connections.get(name);
  const userRef = deps.vault.subjectRefs({ userId })[0]?.value;
  if (connection === undefined || userRef === undefined) throw new Error('a match without a connection');
  const user = { connection: name, projectKey, userRef };
  const unroutable = unroutableReason(userId);
  if (unroutable !== undefined) {
    const unknown = { sessions: null, firstSeen: null, lastSeen: null, live: 'not_available' as const };
    return { ...user, unroutable, ...unknown };
  }
  const at = { connection, projectKey, userId };
  const [sessions, live] = await Promise.all([readSessions(deps, at), readLive(at)]);
  return { ...user, unroutable: null, ...sessions, live };
}

interface UserAt {
  readonly connection: Connection;
  readonly projectKey: string;
  readonly userId: string;
}

async function readSessions(
  { now }: Pick<Deps, 'now'>,
  { connection, projectKey, userId }: UserAt,
): Promise<Pick<PreviewedUser, 'sessions' | 'firstSeen' | 'lastSeen'>> {
  const ends = await Promise.all(
    (['asc', 'desc'] as const).map((sortOrder) =>
      connection.api.listUserSessions(
        { projectKey, userId },
        { ...wholeTime(now().getTime()), limit: 1, page: 1, sortOrder },
      ),
    ),
  );
  const gone = ends.some((read) => !read.ok && read.failure.kind === 'not_found');
  if (gone) return { sessions: 0, firstSeen: null, lastSeen: null };
  const pages = ends.map((read) => valueOf(read, connection));
  const starts = pages.flatMap(({ items }) => items.flatMap(({ startTs }) => startTs ?? []));
  const [first] = pages;
  // One of a page that holds one at most says nothing of how many there are.
  const counted = first !== undefined && (first.total !== undefined || first.items.length === 0);
  return {
    sessions: counted ? sessionsOf(first) : null,
    firstSeen: timeOf(starts.length === 0 ? undefined : Math.min(...starts)),
    lastSeen: timeOf(starts.length === 0 ? undefined : Math.max(...starts)),
  };
}

/** What a server calls a time need not be one. */
function timeOf(epochMs: number | undefined): string | null {
  const date = new Date(epochMs ?? NaN);
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 ? null : date.toISOString();
}

async function readLive({ connection, projectKey, userId }: UserAt): Promise<PreviewedUser['live']> {
  const read = await connection.api.listLiveSessions(projectKey, userId);
  if (!read.ok && read.failure.kind === 'not_available') return 'not_available';
  return liveSessionsOf(valueOf(read, connection), userId).length > 0 ? 'live' : 'not_live';
}
