import { SearchIndex } from './search-index.ts';

/** A recorded or a live session. Times are epoch ms. Its events are derived from it, so none outlives it. */
export interface SessionRecord {
  readonly sessionId: string;
  readonly userId: string;
  readonly startTs: number;
  readonly endTs: number;
  readonly eventsCount: number;
}

export interface UserRecord {
  readonly userId: string;
  readonly email: string;
  readonly name: string;
  readonly country: string;
  readonly createdAt: number;
  /** Id, email and name, lower case, for search. */
  readonly searchText: readonly [string, string, string];
  readonly sessions: SessionRecord[];
  readonly live: SessionRecord[];
  /** Epoch ms from which the record is gone; `undefined` while sessions are left. */
  goneAt: number | undefined;
}

export type JobStatus = 'scheduled' | 'running' | 'completed' | 'failed' | 'cancelled';

export interface JobRecord {
  readonly jobId: number;
  readonly projectId: number;
  readonly userId: string;
  readonly createdAt: number;
  readonly startAt: number;
  status: JobStatus;
  updatedAt: number | null;
  errors: string | null;
}

export interface ProjectRecord {
  readonly projectId: number;
  readonly projectKey: string;
  readonly name: string;
  readonly platform: 'web' | 'ios';
  readonly users: Map<string, UserRecord>;
  readonly sessions: Map<string, SessionRecord>;
  readonly live: Map<string, SessionRecord>;
  /** Over the `searchText` of its users, and of some who are gone. */
  searchIndex: SearchIndex<UserRecord>;
  /** Oldest first; append-only. */
  readonly jobs: JobRecord[];
}

/** What a test or the generator says of a new user; what is left out is made up. */
export interface NewUser {
  readonly projectKey: string;
  readonly userId: string;
  readonly email?: string;
  readonly name?: string;
  /** Two letters. */
  readonly country?: string;
  /** How many recorded sessions. */
  readonly sessions: number;
  /** How many live sessions. */
  readonly live?: number;
}

/** What a test says of a new session; what is left out is made up. Times in epoch ms. */
export interface NewSession {
  readonly projectKey: string;
  readonly userId: string;
  readonly startTs?: number;
  readonly durationMs?: number;
  readonly eventsCount?: number;
  readonly live?: boolean;
}

const HOUR_MS = 3_600_000;
const FIRST_SESSION_ID = 4_100_000_000_000_000;

/** All the data of the sandbox. Every look-up by key, user, session or job goes through an index. */
export class SandboxState {
  readonly projects = new Map<string, ProjectRecord>();
  readonly projectNames = new Set<string>();
  readonly #now: () => number;
  #sessionsMade = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Adds an empty project. Throws when the key is taken. */
  addProject(projectKey: string, name = projectKey, platform: 'web' | 'ios' = 'web'): ProjectRecord {
    if (this.projects.has(projectKey)) throw new Error(`The sandbox already has a project ${projectKey}.`);
    const projectId = this.projects.size + 1;
    const project: ProjectRecord = {
      ...{ projectId, projectKey, name, platform, jobs: [] },
      users: new Map<string, UserRecord>(),
      sessions: new Map<string, SessionRecord>(),
      live: new Map<string, SessionRecord>(),
      searchIndex: new SearchIndex<UserRecord>(),
    };
    this.projects.set(projectKey, project);
    this.projectNames.add(name);
    return project;
  }

  /** The project with that key. Throws when there is none: for tests and the generator, not for requests. */
  getProject(projectKey: string): ProjectRecord {
    const project = this.projects.get(projectKey);
    if (project === undefined) throw new Error(`The sandbox has no project ${projectKey}.`);
    return project;
  }

  /** Adds a user with that many recorded and live sessions. Throws when the user is already there. */
  addUser({ projectKey, userId, sessions, live = 0, ...traits }: NewUser): void {
    const project = this.getProject(projectKey);
    if (this.findUser(project, userId) !== undefined) throw new Error('The sandbox already has that user.');
    this.#insertUser(project, userId, traits);
    for (let n = 0; n < sessions; n += 1) {
      // Hours apart, all in the past, the oldest first.
      this.addSession({ projectKey, userId, startTs: this.#now() - (sessions - n + 1) * HOUR_MS });
    }
    for (let n = 0; n < live; n += 1) this.addSession({ projectKey, userId, live: true });
  }

  /** Records one more session, as the tracker would: a user who is not there (any more) comes into being. */
  addSession({ projectKey, userId, ...facts }: NewSession): SessionRecord {
    const project = this.getProject(projectKey);
    const user = this.findUser(project, userId) ?? this.#insertUser(project, userId, {});
    const { startTs = this.#now() - 60_000, durationMs = 50_000, eventsCount = 5, live = false } = facts;
    this.#sessionsMade += 1;
    const sessionId = String(FIRST_SESSION_ID + this.#sessionsMade);
    const session = { sessionId, userId, startTs, endTs: startTs + durationMs, eventsCount };
    (live ? user.live : user.sessions).push(session);
    (live ? project.live : project.sessions).set(sessionId, session);
    user.goneAt = undefined;
    return session;
  }

  /** Live sessions become recorded ones, as when their tabs are closed. */
  endLiveSessions(project: ProjectRecord, user: UserRecord): void {
    for (const session of user.live.splice(0)) {
      project.live.delete(session.sessionId);
      project.sessions.set(session.sessionId, session);
      user.sessions.push(session);
    }
  }

  /** The user's record, while it is there. A record whose time has come is removed now. */
  findUser(project: ProjectRecord, userId: string): UserRecord | undefined {
    const user = project.users.get(userId);
    if (user?.goneAt === undefined || user.goneAt > this.#now()) return user;
    project.users.delete(userId);
    return undefined;
  }

  /** Records that are there now, in the order of their making; with `text`, those only that have it in a field. */
  *listUsers(project: ProjectRecord, text = ''): Generator<UserRecord, void, undefined> {
    const now = this.#now();
    for (const user of project.searchIndex.containing(text) ?? project.users.values()) {
      if (user.goneAt !== undefined && user.goneAt <= now) continue;
      // Who came back has a record of its own.
      if (project.users.get(user.userId) === user) yield user;
    }
  }

  /** Deletes the oldest `most` sessions for good; with the last of them the live ones go. */
  deleteSessions(project: ProjectRecord, user: UserRecord, most: number): void {
    for (const { sessionId } of user.sessions.splice(0, most)) project.sessions.delete(sessionId);
    if (user.sessions.length > 0) return;
    for (const { sessionId } of user.live.splice(0)) project.live.delete(sessionId);
  }

  #insertUser(project: ProjectRecord, userId: string, traits: Partial<NewUser>): UserRecord {
    const { email = '', name = '', country = '' } = traits;
    const user: UserRecord = {
      ...{ userId, email, name, country },
      createdAt: this.#now(),
      searchText: [userId.toLowerCase(), email.toLowerCase(), name.toLowerCase()],
      ...{ sessions: [], live: [], goneAt: undefined },
    };
    project.users.set(userId, user);
    this.#index(project, user);
    return user;
  }

  #index(project: ProjectRecord, user: UserRecord): void {
    if (project.searchIndex.size < 1000 + 2 * project.users.size) {
      project.searchIndex.add(user, user.searchText);
      return;
    }
    // Mostly people who are gone: made anew.
    project.searchIndex = new SearchIndex();
    for (const each of project.users.values()) project.searchIndex.add(each, each.searchText);
  }
}
