import type { OperationId } from './options.ts';
import type { SessionEvent } from './session-events.ts';
import type { JobRecord, ProjectRecord, SessionRecord, UserRecord } from './state.ts';

/** One HTTP answer before it is written: `json` as a JSON document, else `text` as it is, else an empty body. */
export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One page of something. `total` counts all pages; both shapes decide for themselves whether they say it. */
export interface Slice<T> {
  readonly items: readonly T[];
  readonly total: number;
}

/** How a personality words its answers. What it does is in the operations. */
export interface Shapes {
  /** The `data` of a success. */
  project(project: ProjectRecord): unknown;
  user(user: UserRecord): unknown;
  users(slice: Slice<UserRecord>): unknown;
  sessions(slice: Slice<SessionRecord>): unknown;
  liveSessions(slice: Slice<SessionRecord>): unknown;
  events(slice: Slice<SessionEvent>): unknown;
  job(job: JobRecord): unknown;
  jobs(slice: Slice<JobRecord>): unknown;
  /** A refusal. A personality may know fewer statuses than `status` asks for. */
  refusal(operationId: OperationId, status: number, message: string): Answer;
  /** An error that is no part of the operation's own answers (faults, bodies too large); the status is kept. */
  error(operationId: OperationId | undefined, status: number, message: string): Answer;
  unauthorized(): Answer;
  notThisEdition(): Answer;
  unknownRoute(): Answer;
}
