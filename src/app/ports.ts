import type { AdminEvent, AuditEvent } from '../domain/events.ts';
import type { ReplyState } from '../domain/callback.ts';
import type { Day } from '../domain/day.ts';
import type { Clock } from '../domain/deadlines.ts';
import type { LocalPart } from '../domain/email.ts';
import type { OpenReplay, OpenReplayRecords } from '../domain/openreplay.ts';
import type { Pace } from '../domain/pace.ts';
import type { Policy } from '../domain/policy.ts';
import type { Regulation } from '../domain/regulation.ts';
import type { ObservedRound } from '../domain/round-habit.ts';
import type {
  Channel,
  ErasureRequest,
  RequestAttention,
  RequestOutcome,
  RequestType,
  SubjectRef,
} from '../domain/request.ts';
import type { RequestState, TaskState } from '../domain/states.ts';
import type { TaskPatch } from '../domain/task-step.ts';
import type { Task } from '../domain/task.ts';
import type { NextWork, WaitReason, WorkKind } from '../domain/work.ts';
import type { Intake, IntakeStore, IntakeTransaction, TicketOfRequest } from './ports/intake.ts';
import type { CallbackStore, CallbackTransaction } from './ports/callbacks.ts';
import type { ImportStore, ImportTransaction } from './ports/imports.ts';
import type { Journal } from './ports/journal.ts';
import type { Certifier, LogStore } from './ports/log.ts';
import type { KeyStore, KeyTransaction, NewToken } from './ports/keys.ts';
import type { ConnectionStateStore, ConnectionStateTransaction } from './ports/gate.ts';
import type { LifeStore, LifeTransaction } from './ports/life.ts';
import type { ReportStore } from './ports/reports.ts';
import type { CallbackSigner, ReplyTarget, Sender } from './ports/notify.ts';
import type { AccessPackage, PackageStore, PackageTransaction } from './ports/packages.ts';
import type { Sealed } from './ports/sealed.ts';
import type { DataKey, Vault, VaultStore, VaultTransaction } from './ports/vault.ts';

export type { DataKey, Sealed, Vault };

/** What the use cases need of the world. Composition roots wire the real parts in. */

/** A thing left to do, held by the one worker that knows its lease. */
export interface Work {
  readonly id: string;
  readonly lease: string;
  readonly kind: WorkKind;
  readonly requestId: string;
  /** Null for work that concerns the whole request (`discover`). */
  readonly taskId: string | null;
  readonly connection: string;
  readonly projectKey: string | null;
  readonly attempts: number;
  /** Since when the step has been failing; null when its last attempt did not. */
  readonly failingSince: Date | null;
}
export type WorkLease = Pick<Work, 'id' | 'lease'>;

/** Work that was handed out by the dispatcher and is not yet in a worker's hands. */
export type HandedOut = Pick<Work, 'id' | 'lease' | 'kind' | 'connection' | 'projectKey'>;
export interface HandOutLimits {
  readonly connection: string;
  readonly handOutMs: number;
  /** How much may be out at a time, polls not counted. */
  readonly max: number;
  readonly maxPolls: number;
}

export interface NewWork {
  readonly requestId: string;
  readonly taskId: string | null;
  readonly connection: string;
  readonly projectKey: string | null;
  readonly next: NextWork;
}

/** A request with the events that tell how it came to be: none is written without the other. */
export interface NewRequest extends Omit<ErasureRequest, 'eventCount' | 'updatedAt'> {
  /** What all of it is sealed under. */
  readonly dataKey: DataKey;
  readonly subjectSealed: Sealed;
  readonly noteSealed: Sealed | null;
  /** What its subject is known by. */
  readonly refs: readonly SubjectRef[];
  readonly events: readonly EncodedEvent[];
}

export interface RequestPatch {
  readonly state?: RequestState;
  readonly attention?: RequestAttention | null;
  readonly completedAt?: Date;
  readonly closedAt?: Date;
  readonly cancelRequestedAt?: Date;
  readonly outcome?: RequestOutcome;
  readonly heldFrom?: RequestState | null;
  readonly heldBy?: ErasureRequest['heldBy'];
  readonly identityVerifiedAt?: Date;
  readonly coolingOffUntil?: Date;
  readonly expectedTasks?: number;
  readonly extendedAt?: Date;
}

export interface NewTask extends Task {
  /** The user id, sealed for the task; null where there is none to be sent. */
  readonly userSealed: Sealed | null;
}

/** An idempotency key belongs to the API key that sent it. */
export interface AnswerKey {
  readonly apiKeyId: string;
  readonly key: string;
}

/** The first answer to an idempotency key. */
export interface FirstAnswer {
  /** HMAC of the request's body: the same body, the same bytes. */
  readonly fingerprint: Uint8Array;
  readonly requestId: string;
  /** The answer's JSON, as it was sent. */
  readonly body: string;
}

/** A request with all its tasks, and the subject's ciphertext: null once it is kept no longer. */
export interface RequestScope {
  readonly request: ErasureRequest;
  readonly tasks: readonly Task[];
  /** Null once it was destroyed. */
  readonly dataKey: DataKey | null;
  readonly subjectSealed: Sealed | null;
  /** Each task's user id, by the task's id. */
  readonly usersSealed: ReadonlyMap<string, Sealed>;
  /** A legal hold stands on one of the identifiers the subject is known by. */
  readonly standingHold: boolean;
}

/** What changes about a request at once. The guards `from` name the states it may start from. */
export interface Change {
  /** The work it is done for, and what becomes of it: rescheduled, done (null) or kept in hand. */
  readonly work?: { readonly lease: WorkLease; readonly next: NextWork | null | 'kept' };
  readonly task?: {
    readonly id: string;
    readonly from: readonly TaskState[];
    readonly patch: TaskPatch & { readonly state?: TaskState };
  };
  readonly request?: { readonly from: readonly RequestState[]; readonly patch: RequestPatch };
  /** Work that begins with it, beside what it is done for. */
  readonly begins?: NewWork;
  readonly events: readonly EncodedEvent[];
}

export interface WorkChange {
  readonly from: readonly WorkKind[];
  readonly to: WorkKind;
  readonly of?: TaskState;
}

/** The statements that use cases run inside one transaction. */
export interface Transaction
  extends
    KeyTransaction,
    LifeTransaction,
    PackageTransaction,
    ImportTransaction,
    ConnectionStateTransaction,
    IntakeTransaction,
    VaultTransaction,
    CallbackTransaction {
  /** The database's time of this transaction. */
  readonly now: Date;
  insertRequests(requests: readonly NewRequest[]): Promise<void>;
  insertTasks(tasks: readonly NewTask[]): Promise<void>;
  insertWork(work: readonly NewWork[]): Promise<void>;
  /**
   * Writes a change of a request and its events; the caller holds the request's lock or has just inserted it.
   *
   * @returns false when the work is no longer the caller's: nothing was written
   */
  write(requestId: string, change: Change): Promise<boolean>;
  /**
   * Work of these kinds that no worker holds becomes another kind, due now; with `of`, only that of tasks in this state.
   * Held work is left to its holder.
   */
  redirectWork(requestId: string, change: WorkChange): Promise<void>;
  /** Inserts work where there is none for the same task. */
  restoreWork(work: readonly NewWork[]): Promise<void>;
  /** Deletes a request's discovery, and the submissions that were not begun, where no worker holds them. */
  deleteUnbegunWork(requestId: string): Promise<void>;
  /** Deletes the work of a task (or, with null, of the request itself), whoever holds it; its destruction stays. */
  deleteWorkOf(requestId: string, taskId: string | null): Promise<void>;
  /**
   * Reserves an idempotency key for this transaction, or gives what it was first answered with. Waits for another
   * transaction that holds it.
   */
  reserveAnswer(key: AnswerKey, fingerprint: Uint8Array): Promise<FirstAnswer | undefined>;
  /** Keeps the answer of a key reserved in this transaction. */
  fillAnswer(key: AnswerKey, answer: Omit<FirstAnswer, 'fingerprint'>): Promise<void>;
}

export interface EncodedEvent {
  readonly seq: number;
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface RequestFilter {
  readonly state?: RequestState;
  readonly reference?: string;
  /** A pseudonym that the subject is known by, open or closed, destroyed or not. */
  readonly subjectRef?: string;
  /** Only requests after this id in the list's order (newest first). */
  readonly before?: string;
  readonly limit: number;
}

/** A place in the order of due dates. */
export interface DuePlace {
  readonly dueOn: Day;
  readonly requestId: string;
}

export interface DueFilter {
  /** All that are due by this day, and beyond it those that one night is not enough for. */
  readonly until: Day;
  /** More sessions than one round erases. */
  readonly heavySessions: number;
  readonly after?: DuePlace | undefined;
  readonly limit: number;
}

/** What waits for a task or request, as shown to people. */
export interface Waiting {
  readonly requestId: string;
  readonly taskId: string | null;
  readonly kind: WorkKind;
  readonly reason: WaitReason;
  readonly attempts: number;
  readonly runAt: Date;
  readonly held: boolean;
}

export interface RequestWithTasks {
  readonly request: ErasureRequest;
  readonly tasks: readonly Task[];
  readonly waiting: readonly Waiting[];
  /** Null where there is none, or none yet. */
  readonly accessPackage: AccessPackage | null;
  /** Ids of other open requests for the same subject. */
  readonly related: readonly string[];
  /** The ticket that it was made of. */
  readonly ticket: TicketOfRequest | null;
  /** Of the answers to its ticket; null where none is to be told. */
  readonly replies: ReplyState | null;
}

export interface Store
  extends
    KeyStore,
    LifeStore,
    PackageStore,
    ImportStore,
    IntakeStore,
    ConnectionStateStore,
    VaultStore,
    CallbackStore {
  /** Runs `work` in one transaction; retried whole on a serialization failure or deadlock. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * As transaction, with the request locked until it ends: its trail is written by one at a time. What is given was
   * read under the lock; undefined when there is no such request.
   */
  withRequest<T>(
    id: string,
    work: (tx: Transaction, scope: RequestScope | undefined) => Promise<T>,
  ): Promise<T>;
  /** The request with its tasks, as a step that only reads needs them. */
  findScope(requestId: string): Promise<RequestScope | undefined>;
  findRequest(id: string): Promise<RequestWithTasks | undefined>;
  listRequests(filter: RequestFilter): Promise<readonly RequestWithTasks[]>;
  /** Open requests that may be late, the first due first. */
  listOpenByDue(filter: DueFilter): Promise<readonly RequestWithTasks[]>;
  /** Completed rounds of each connection, of the tasks that were erased last. */
  listObservedRounds(connections: readonly string[], perConnection: number): Promise<ObservedRounds>;
  /** Undefined when there is no such request. */
  listEventBytes(
    requestId: string,
    page: { after: number; limit: number },
  ): Promise<readonly Uint8Array[] | undefined>;
  /** Makes handed-out work this worker's own under a new lease. Absent ones went elsewhere. */
  takeWork(leases: readonly WorkLease[], holdMs: number): Promise<readonly Work[]>;
  listTasksById(ids: readonly string[]): Promise<readonly Task[]>;
  claimDueWork(limits: HandOutLimits): Promise<readonly HandedOut[]>;
  /**
   * Gives work back to be done again after a while, as one more attempt; what is no longer the caller's is left alone.
   *
   * @returns how much of it was still the caller's
   */
  delayWork(works: readonly (WorkLease & { readonly waitMs: number })[], reason: WaitReason): Promise<number>;
  /**
   * Whether a deletion may still be sent for this work: it is the caller's, and neither a hold nor a wish to cancel has
   * come since it was begun. A look without a lock, for the moment before.
   */
  mayDelete(lease: WorkLease): Promise<boolean>;
  /** Deletes work, if it is still the caller's; says whether it was. */
  deleteWork(lease: WorkLease): Promise<boolean>;
  renewLeases(leases: readonly WorkLease[], holdMs: number): Promise<void>;
  /** Hands work back at once, for whoever is free. */
  releaseLeases(leases: readonly WorkLease[]): Promise<void>;
  /** Throws when the database does not answer. */
  ping(): Promise<void>;
}

/** The exact bytes of an event that are stored and hashed (RFC 8785). */
export type EncodeEvent = (event: AuditEvent | AdminEvent) => Uint8Array;

/** One configured OpenReplay server. */
export interface Connection {
  readonly name: string;
  /** The allow-list, or null for every project of the tenant. */
  readonly projects: readonly string[] | null;
  readonly countSessionsBefore: boolean;
  readonly api: OpenReplay;
  /** For access packages. */
  readonly records: OpenReplayRecords;
}

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Rounds that OpenReplay completed, by connection, the most recent first. */
export type ObservedRounds = ReadonlyMap<string, readonly ObservedRound[]>;

/** What every use case may use. */
export interface Deps {
  readonly store: Store;
  readonly vault: Vault;
  readonly encodeEvent: EncodeEvent;
  readonly journal: Journal;
  readonly reports: ReportStore;
  /** To servers outside, OpenReplay apart. */
  readonly sender: Sender;
  readonly callbackSigner: CallbackSigner;
  /** Ticket systems that are told what becomes of requests; the first that a reference fits. */
  readonly replyTargets: readonly ReplyTarget[];
  /** The log of all events, and what certifies from it. */
  readonly ledger: { readonly store: LogStore; readonly certifier: Certifier };
  readonly connections: ReadonlyMap<string, Connection>;
  readonly pace: Pace;
  /** More users than this under one e-mail address are not erased without a person. */
  readonly maxMatches: number;
  readonly emailLocalPart: LocalPart;
  /** How long a worker holds work before it must renew. */
  readonly leaseMs: number;
  readonly newId: (prefix: 'er' | 'tk' | 'ak' | 'hd' | 'im' | 'wd' | 'cb' | 'dl') => string;
  readonly now: () => Date;
  /** The day that it is at that time in the time zone of a regulation's deadlines. */
  readonly dayOf: (regulation: Regulation, at: Date) => Day;
  /** The day that it is now. */
  readonly today: (regulation: Regulation) => Day;
  /** IANA names: the time zones that days of deadlines are of. */
  readonly timeZones: Readonly<Record<Regulation, string>>;
  /** The statutory clock of a request that came in at that time. */
  readonly clockFor: (regulation: Regulation, receivedAt: Date) => Promise<Clock>;
  /** What must happen before a request may be carried out, by where it came from and the law it is under. */
  readonly policyFor: (from: {
    channel: Channel;
    regulation: Regulation;
    type: RequestType;
    /** The configured source that sent it, where there is one. */
    source?: string | undefined;
  }) => Policy;
  readonly access: {
    /** How long a package that is ready is kept. */
    readonly expiresAfterMs: number;
    /** Records asked for at once, 1 to 200. */
    readonly pageSize: number;
    /** Calls after which a step hands over to the next, so that it stays short. */
    readonly callsPerStep: number;
  };
  /** Systems that deliver tickets. */
  readonly intake: Intake;
  /** How long after a request was closed its identifiers are destroyed. */
  readonly retentionMs: number;
  /** How long rounds took lately, by connection, the most recent first; maybe a minute old. */
  readonly observedRounds: () => Promise<ObservedRounds>;
  readonly newToken: () => NewToken;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called after a commit that left work due now, so that the dispatcher need not wait for its next look. */
  readonly workIsDue: () => void;
  readonly log: Log;
}
