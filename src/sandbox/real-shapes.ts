import type { OperationId } from './options.ts';
import type { Answer, Shapes } from './shapes.ts';
import type { JobRecord, ProjectRecord, SessionRecord, UserRecord } from './state.ts';

/** These say `{"errors": ["..."]}` where the others say `{"error": "..."}`: both forms are met in the field. */
const PLURAL_ERRORS: ReadonlySet<OperationId | undefined> = new Set([
  'getProject',
  'listUserSessions',
  'listSessionEvents',
] as const);

const METADATA = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`metadata${n + 1}`, null]));

/** The answers of servers in the field (docs: OpenReplay 1.27), with all their fields and oddities. */
export const realShapes: Shapes = {
  project: ({ projectId, projectKey, name, platform }: ProjectRecord) => ({
    ...{ projectId, name, projectKey, tenantId: 1, maxSessionDuration: 7_200_000, sampleRate: 100 },
    ...{ saveRequestPayloads: false, beaconSize: 0, platform, ...METADATA },
  }),
  user: fullUser,
  users: ({ items, total }) => ({ total: pastTheEnd(items) ? 0 : total, users: items.map(briefUser) }),
  // Go writes an empty slice that was never made as null.
  sessions: ({ items, total }) =>
    pastTheEnd(items) ? { total: 0, sessions: null } : { total, sessions: items.map(recordedSession) },
  liveSessions: ({ items, total }) => ({
    total,
    sessions: items.map((session) => ({ ...recordedSession(session), userId: session.userId })),
  }),
  events: ({ items, total }) => ({
    total: pastTheEnd(items) ? 0 : total,
    events: items.map(({ eventId, session, type, timestamp, value }) => ({
      ...{ event_id: eventId, $event_name: type, created_at: timestamp, distinct_id: session.userId },
      ...{ session_id: session.sessionId, $user_id: escapeHtml(session.userId), properties: { value } },
    })),
  }),
  job,
  // No total: a bare list.
  jobs: ({ items }) => items.map(job),
  refusal: error,
  error,
  unauthorized: () => ({ status: 401 }),
  notThisEdition: () => ({ status: 404, json: { detail: 'Not Found' } }),
  unknownRoute: () => ({
    status: 404,
    text: '404 page not found\n',
    headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  }),
};

/** Five characters, as Go's html.EscapeString writes them. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};

function error(operationId: OperationId | undefined, status: number, message: string): Answer {
  return { status, json: PLURAL_ERRORS.has(operationId) ? { errors: [message] } : { error: message } };
}

/** Totals are counted over the rows of the page, so a page without rows has none. */
function pastTheEnd(items: readonly unknown[]): boolean {
  return items.length === 0;
}

function briefUser({ userId, email, name, createdAt, sessions }: UserRecord): Record<string, unknown> {
  const [firstName = '', ...lastNames] = name.split(' ');
  return {
    $user_id: escapeHtml(userId),
    $email: escapeHtml(email),
    $name: escapeHtml(name),
    $first_name: escapeHtml(firstName),
    $last_name: escapeHtml(lastNames.join(' ')),
    $created_at: createdAt,
    $last_seen: sessions.at(-1)?.endTs ?? createdAt,
  };
}

function fullUser(user: UserRecord): Record<string, unknown> {
  const brief = briefUser(user);
  return {
    ...brief,
    ...{ $phone: '', $avatar: '', $country: escapeHtml(user.country), $state: '', $city: '', $timezone: 0 },
    ...{ $sdk_edition: 'web', $sdk_version: '16.4.0', $current_url: '', $first_event_at: user.createdAt },
    ...{ properties: {}, distinct_ids: [brief['$user_id']], group_id1: [] },
  };
}

function recordedSession({ sessionId, eventsCount, startTs, endTs }: SessionRecord): Record<string, unknown> {
  return { sessionId, eventsCount, startTs, endTs };
}

function job({
  jobId,
  projectId,
  userId,
  status,
  createdAt,
  updatedAt,
  startAt,
  errors,
}: JobRecord): unknown {
  const description = `Delete user sessions of userId = ${userId}`;
  const [action, referenceId] = ['delete_user_data', userId];
  return {
    jobId,
    description,
    status,
    projectId,
    action,
    referenceId,
    createdAt,
    updatedAt,
    startAt,
    errors,
  };
}
