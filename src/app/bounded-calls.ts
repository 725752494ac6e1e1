import type { OpenReplay, Outcome } from '../domain/openreplay.ts';
import type { Connection } from './ports.ts';

const LATE = { ok: false, failure: { kind: 'no_answer', reason: 'timeout' } } as const;

/**
 * A connection for somebody who waits: what has not been answered `withinMs` from now, all calls together, counts as
 * not answered. Only for reading: nobody learns what came of a call that was given up.
 */
export function boundedCalls(connection: Connection, withinMs: number): Connection {
  const { api } = connection;
  const time = AbortSignal.timeout(withinMs);
  const late = new Promise<typeof LATE>((resolve) => {
    time.addEventListener('abort', () => {
      resolve(LATE);
    });
  });
  const inTime = async <T>(call: () => Promise<Outcome<T>>): Promise<Outcome<T>> =>
    time.aborted ? LATE : Promise.race([call(), late]);
  const bounded: OpenReplay = {
    ...api,
    listProjects: () => inTime(() => api.listProjects()),
    searchUsers: (projectKey, query) => inTime(() => api.searchUsers(projectKey, query)),
    getUser: (user) => inTime(() => api.getUser(user)),
    listUserSessions: (user, query) => inTime(() => api.listUserSessions(user, query)),
    listLiveSessions: (projectKey, userId) => inTime(() => api.listLiveSessions(projectKey, userId)),
  };
  return { ...connection, api: bounded };
}
