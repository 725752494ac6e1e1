import type { WithheldReason } from './connection-mood.ts';

/**
 * What OpenReplay can be asked and what it can answer, in Lethe's words. `src/openreplay` turns every HTTP
 * result into these types; nothing else of HTTP gets past it. Epoch times are milliseconds.
 */
export const REMOTE_STATUSES = ['scheduled', 'running', 'completed', 'failed', 'cancelled'] as const;
/** A job's status as OpenReplay names it; `unknown` is a word of a newer server that we do not know. */
export type RemoteStatus = (typeof REMOTE_STATUSES)[number] | 'unknown';

/** Why a call brought nothing. No failure holds a URL, a body or an identifier. */
export type CallFailure =
  /** Not sent: the server is left alone just now. `untilMs`, epoch ms: when asking again makes sense. */
  | { readonly kind: 'withheld'; readonly reason: WithheldReason; readonly untilMs: number }
  /** Not sent: the named part would be unsafe in a URL path (see identifiers.ts). */
  | { readonly kind: 'unsendable'; readonly field: 'projectKey' | 'userId' | 'jobId' | 'sessionId' }
  /** 401. Real servers also say so when their own database fails: it condemns the connection, not the request. */
  | { readonly kind: 'unauthorized' }
  /** 429; `retryAfterMs` when the server said how long. */
  | { readonly kind: 'rate_limited'; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'not_found' }
  /** 409: for deleteUser, an active job for that user exists; the answer does not say which. */
  | { readonly kind: 'conflict' }
  /** Another 4xx. */
  | { readonly kind: 'rejected'; readonly status: number }
  /** 3xx: never followed. The configured URL is wrong, or something stands in between. */
  | { readonly kind: 'redirected'; readonly status: number }
  /** The operation is not offered by this server (live sessions outside the Enterprise Edition). */
  | { readonly kind: 'not_available'; readonly status: number }
  | { readonly kind: 'server_error'; readonly status: number }
  /** A 2xx without the data it needs, a body that is not JSON, or one over the cap. */
  | { readonly kind: 'unreadable'; readonly status: number }
  /** The connection never stood, so the call was not carried out. */
  | { readonly kind: 'unreachable' }
  /** Sent, but no whole answer came (time-out, cut socket): it may have been carried out. */
  | { readonly kind: 'no_answer'; readonly reason: 'timeout' | 'reset' };

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: CallFailure };

export type Platform = 'web' | 'ios';

export interface RemoteProject {
  readonly projectKey: string;
  readonly projectId: string | undefined;
  readonly name: string | undefined;
  readonly platform: string | undefined;
}

/** A user as read, HTML entities already undone. Text is hostile: never trusted, never rendered as markup. */
export interface RemoteUser {
  readonly userId: string;
  readonly email: string | undefined;
  readonly country: string | undefined;
  readonly sessionsCount: number | undefined;
}

export interface RemoteSession {
  readonly sessionId: string;
  /** Named by some servers on live sessions only. */
  readonly userId: string | undefined;
  readonly startTs: number | undefined;
  readonly endTs: number | undefined;
  readonly eventsCount: number | undefined;
}

export interface RemoteEvent {
  readonly type: string | undefined;
  readonly timestamp: number | undefined;
}

/** The job's description and error text carry the user id, so neither is read into it. */
export interface RemoteJob {
  readonly jobId: string;
  readonly status: RemoteStatus;
  readonly createdAt: number | undefined;
  readonly startAt: number | undefined;
  /** The user id the job is for, where the server says so. Personal data: compared, never stored. */
  readonly referenceId: string | undefined;
  readonly hasErrors: boolean;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** As the server says on this page, where it does. Trust page 1 only: past the end real servers say 0. */
  readonly total: number | undefined;
}

export interface UserAddress {
  readonly projectKey: string;
  readonly userId: string;
}
export interface JobAddress {
  readonly projectKey: string;
  readonly jobId: string;
}
export interface SessionAddress {
  readonly projectKey: string;
  readonly sessionId: string;
}
export interface PageQuery {
  /** 1 to 200. */
  readonly limit: number;
  /** From 1. */
  readonly page: number;
}
type Filter = Readonly<Record<string, unknown>>;
export interface WindowQuery extends PageQuery {
  /** Epoch ms, at least 2000-01-01. */
  readonly startTimestamp: number;
  /** Epoch ms, greater than the start. */
  readonly endTimestamp: number;
  readonly sortOrder?: 'asc' | 'desc';
  readonly filters?: readonly Filter[];
}
export interface EventsQuery extends WindowQuery {
  readonly sortBy?: string;
  readonly columns?: readonly string[];
}
export interface UserQuery extends PageQuery {
  readonly query?: string;
  readonly filters?: readonly Filter[];
}
export interface NewProject {
  /** At most 200 characters. */
  readonly name: string;
  readonly platform?: Platform;
}

/** A record as OpenReplay gave it, with all its fields: what the subject has a right to see. Hostile all through. */
export type WholeRecord = Readonly<Record<string, unknown>>;

export interface WholeSession {
  readonly sessionId: string;
  /** The server names another user: not the subject's to see. */
  readonly ofSomebodyElse: boolean;
  readonly record: WholeRecord;
}

/** Three of the operations, read whole. None throws; what they give is never logged and leaves memory only sealed. */
export interface OpenReplayRecords {
  readUser(user: UserAddress): Promise<Outcome<WholeRecord>>;
  readSessions(user: UserAddress, query: WindowQuery): Promise<Outcome<Page<WholeSession>>>;
  readEvents(session: SessionAddress, query: EventsQuery): Promise<Outcome<Page<WholeRecord>>>;
}

/** The 13 operations of the contract (docs: test/contract/openreplay.openapi.yaml). None throws. */
export interface OpenReplay {
  listProjects(): Promise<Outcome<readonly RemoteProject[]>>;
  createProject(project: NewProject): Promise<Outcome<RemoteProject>>;
  getProject(projectKey: string): Promise<Outcome<RemoteProject>>;
  searchUsers(projectKey: string, query: UserQuery): Promise<Outcome<Page<RemoteUser>>>;
  getUser(user: UserAddress): Promise<Outcome<RemoteUser>>;
  deleteUser(user: UserAddress): Promise<Outcome<RemoteJob>>;
  listUserSessions(user: UserAddress, query: WindowQuery): Promise<Outcome<Page<RemoteSession>>>;
  listSessionEvents(session: SessionAddress, query: EventsQuery): Promise<Outcome<Page<RemoteEvent>>>;
  listJobs(projectKey: string, query: PageQuery): Promise<Outcome<Page<RemoteJob>>>;
  getJob(job: JobAddress): Promise<Outcome<RemoteJob>>;
  cancelJob(job: JobAddress): Promise<Outcome<RemoteJob>>;
  /** `userId` narrows on the server; the answer is filtered again by the caller. */
  listLiveSessions(projectKey: string, userId?: string): Promise<Outcome<Page<RemoteSession>>>;
  searchLiveSessions(projectKey: string, query: WindowQuery): Promise<Outcome<Page<RemoteSession>>>;
}
