import type { OperationId } from './options.ts';
import type { Answer, Shapes, Slice } from './shapes.ts';
import type { JobRecord, ProjectRecord, SessionRecord, UserRecord } from './state.ts';

/** The refusals that the contract file knows, by operation (a 401 apart). */
const DOCUMENTED: Readonly<Record<OperationId, 400 | 404 | undefined>> = {
  listProjects: undefined,
  createProject: 400,
  getProject: 404,
  searchUsers: 400,
  getUser: 404,
  deleteUser: 404,
  listUserSessions: 400,
  listSessionEvents: 400,
  listJobs: undefined,
  getJob: 404,
  cancelJob: 404,
  listLiveSessions: undefined,
  searchLiveSessions: undefined,
};

/** The answers of the contract file: these fields and no other, on success and on refusal. */
export const contractShapes: Shapes = {
  project: ({ projectId, projectKey, name, platform }: ProjectRecord) => ({
    projectId,
    projectKey,
    name,
    platform,
  }),
  user,
  users: ({ items, total }) => ({ total, users: items.map(user) }),
  sessions,
  liveSessions: sessions,
  events: ({ items, total }) => ({
    total,
    events: items.map(({ type, timestamp, value }) => ({ type, timestamp, value })),
  }),
  job,
  jobs: ({ items, total }) => ({ total, jobs: items.map(job) }),
  refusal(operationId, _status, message) {
    const documented = DOCUMENTED[operationId];
    return documented === undefined ? nothing(operationId) : error(documented, message);
  },
  error: (_operationId, status, message) => error(status, message),
  unauthorized: () => error(401, 'Bearer token missing or invalid'),
  notThisEdition: () => error(404, 'Enterprise Edition only'),
  unknownRoute: () => error(404, 'no such resource'),
};

function error(status: number, message: string): Answer {
  return { status, json: { error: message } };
}

/** Where the file knows success only, what is asked of a project that is not there is an empty page. */
function nothing(operationId: OperationId): Answer {
  const items = operationId === 'listJobs' ? { jobs: [] } : { sessions: [] };
  return { status: 200, json: { data: { total: 0, ...items } } };
}

function user({ userId, email, country, sessions: { length } }: UserRecord): unknown {
  return { userId, email, country, sessionsCount: length };
}

function sessions({ items, total }: Slice<SessionRecord>): unknown {
  return {
    total,
    sessions: items.map(({ sessionId, eventsCount, startTs, endTs }) => ({
      sessionId,
      eventsCount,
      startTs,
      endTs,
    })),
  };
}

function job({ jobId, status, createdAt }: JobRecord): unknown {
  return { jobId: String(jobId), status, createdAt };
}
