import type {
  EventsQuery,
  OpenReplay,
  OpenReplayRecords,
  Outcome,
  WindowQuery,
} from '../domain/openreplay.ts';
import type { CallGate } from '../app/ports/gate.ts';
import { gated } from './gated.ts';
import { failed, outcomeOf, saysNotOffered } from './outcome.ts';
import {
  readEvents,
  readJob,
  readJobs,
  readLiveSessions,
  readProject,
  readProjects,
  readSessions,
  readUser,
  readUsers,
  readWholeEvents,
  readWholeSessions,
  readWholeUser,
} from './reading.ts';
import type { Reader } from './reading.ts';
import { fillPath, liveSessionsQuery } from './request-path.ts';
import type { Unsendable } from './request-path.ts';
import { createGotTransport } from './transport.ts';
import type { Transport, TransportOptions } from './transport.ts';

/** `baseUrl` is the whole root of the API (such as `https://x/api/v2`), with or without a slash at its end. */
export interface OpenReplayClientOptions extends TransportOptions {
  /** Asked before every call; left out, every call leaves at once. */
  readonly gate?: CallGate;
}

export interface OpenReplayClient extends OpenReplay {
  readonly records: OpenReplayRecords;
  /** Destroys the kept connections; calls under way end with `no_answer`. */
  close(): void;
}

/**
 * The client of OpenReplay's API: the 13 operations of the contract. No call throws or rejects, whatever the
 * server does, and no outcome holds a URL, a body, a header or an identifier that the caller did not ask for.
 * Each call is put on the wire at most once, takes at most `connectTimeoutMs + responseTimeoutMs`, and keeps at
 * most `maxBodyBytes` of an answer. Limits, pages and windows must keep to the ranges named in `OpenReplay`.
 */
export function createOpenReplayClient(options: OpenReplayClientOptions): OpenReplayClient {
  const { send: sendNow, close } = createGotTransport({
    ...options,
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
  });
  const send = options.gate === undefined ? sendNow : gated(sendNow, options.gate);
  return { ...operationsOver(send), records: recordsOver(send), close };
}

function operationsOver(send: Transport): OpenReplay {
  return {
    ...projectOperations(send),
    ...userOperations(send),
    ...jobOperations(send),
    ...liveOperations(send),
  };
}

type ProjectOperations = Pick<OpenReplay, 'listProjects' | 'createProject' | 'getProject'>;

function projectOperations(send: Transport): ProjectOperations {
  const path = '/public/projects';
  return {
    listProjects: () => ask(send, { method: 'GET', path, read: readProjects }),
    createProject: ({ name, platform }) =>
      ask(send, { method: 'POST', path, body: { name, platform }, read: readProject }),
    getProject: (projectKey) =>
      ask(send, { method: 'GET', path: fillPath(`${path}/{projectKey}`, { projectKey }), read: readProject }),
  };
}

type UserOperations = Pick<
  OpenReplay,
  'searchUsers' | 'getUser' | 'deleteUser' | 'listUserSessions' | 'listSessionEvents'
>;

const users = '/public/{projectKey}/users';
const events = '/public/{projectKey}/sessions/{sessionId}/events';

function userOperations(send: Transport): UserOperations {
  return {
    searchUsers: (projectKey, { query, filters, limit, page }) => {
      const path = fillPath(users, { projectKey });
      return ask(send, { method: 'POST', path, body: { query, filters, limit, page }, read: readUsers });
    },
    getUser: (user) =>
      ask(send, { method: 'GET', path: fillPath(`${users}/{userId}`, user), read: readUser }),
    deleteUser: (user) =>
      ask(send, { method: 'DELETE', path: fillPath(`${users}/{userId}`, user), read: readJob }),
    listUserSessions: (user, query) => {
      const path = fillPath(`${users}/{userId}/sessions`, user);
      return ask(send, { method: 'POST', path, body: windowBody(query), read: readSessions });
    },
    listSessionEvents: (session, query) => {
      const path = fillPath(events, session);
      return ask(send, { method: 'POST', path, body: eventsBody(query), read: readEvents });
    },
  };
}

/** The same calls as getUser, listUserSessions and listSessionEvents; of the answers everything is kept. */
function recordsOver(send: Transport): OpenReplayRecords {
  return {
    readUser: (user) =>
      ask(send, { method: 'GET', path: fillPath(`${users}/{userId}`, user), read: readWholeUser(user) }),
    readSessions: (user, query) => {
      const path = fillPath(`${users}/{userId}/sessions`, user);
      return ask(send, { method: 'POST', path, body: windowBody(query), read: readWholeSessions(user) });
    },
    readEvents: (session, query) => {
      const path = fillPath(events, session);
      return ask(send, { method: 'POST', path, body: eventsBody(query), read: readWholeEvents });
    },
  };
}

type JobOperations = Pick<OpenReplay, 'listJobs' | 'getJob' | 'cancelJob'>;

function jobOperations(send: Transport): JobOperations {
  const jobs = '/public/{projectKey}/jobs';
  return {
    listJobs: (projectKey, { limit, page }) => {
      const path = fillPath(`${jobs}?limit=${limit}&page=${page}`, { projectKey });
      return ask(send, { method: 'GET', path, read: readJobs });
    },
    getJob: (job) => ask(send, { method: 'GET', path: fillPath(`${jobs}/{jobId}`, job), read: readJob }),
    cancelJob: (job) =>
      ask(send, { method: 'DELETE', path: fillPath(`${jobs}/{jobId}`, job), read: readJob }),
  };
}

type LiveOperations = Pick<OpenReplay, 'listLiveSessions' | 'searchLiveSessions'>;

function liveOperations(send: Transport): LiveOperations {
  const live = '/public/{projectKey}/assist/sessions';
  const common = { read: readLiveSessions, enterpriseOnly: true } as const;
  return {
    listLiveSessions: (projectKey, userId) => {
      const query = liveSessionsQuery(userId);
      const path = typeof query === 'string' ? fillPath(`${live}${query}`, { projectKey }) : query;
      return ask(send, { ...common, method: 'GET', path });
    },
    searchLiveSessions: (projectKey, query) => {
      const path = fillPath(live, { projectKey });
      return ask(send, { ...common, method: 'POST', path, body: windowBody(query) });
    },
  };
}

/** Field by field, so that nothing else of a caller's object is sent. Absent fields are left out by `ask`. */
function windowBody({ startTimestamp, endTimestamp, limit, page, sortOrder, filters }: WindowQuery): object {
  return { startTimestamp, endTimestamp, limit, page, sortOrder, filters };
}

function eventsBody(query: EventsQuery): object {
  const { sortBy, columns } = query;
  return { ...windowBody(query), sortBy, columns };
}

interface Call<T> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Encoded, or why it must not be sent. */
  readonly path: string | Unsendable;
  readonly body?: object;
  readonly enterpriseOnly?: boolean;
  readonly read: Reader<T>;
}

async function ask<T>(send: Transport, call: Call<T>): Promise<Outcome<T>> {
  const { method, path } = call;
  if (typeof path !== 'string') return failed(path);
  const body = call.body === undefined ? {} : { body: JSON.stringify(call.body) };
  const answer = await send({ method, path, ...body });
  if ('kind' in answer) return failed(answer);
  if (call.enterpriseOnly === true && saysNotOffered(answer)) {
    return failed({ kind: 'not_available', status: answer.status });
  }
  return outcomeOf(answer, call.read, Date.now());
}
