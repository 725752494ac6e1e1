import type { DecisionKind, IdentityMethod, RefusalGround } from '../../domain/policy.ts';
import type { ErasureRequest, SubjectRef } from '../../domain/request.ts';
import type { Sealed } from './sealed.ts';

/** What the use cases need for people's decisions and legal holds. Part of ports.ts. */

export interface NewDecision {
  readonly requestId: string;
  readonly kind: DecisionKind;
  readonly ground: IdentityMethod | RefusalGround | null;
  /** The person's words, sealed for the request: they can name the subject. */
  readonly textSealed: Sealed | null;
  /** Id of an API key. */
  readonly decidedBy: string;
  readonly decidedAt: Date;
}

export interface KeptDecision extends Omit<NewDecision, 'ground'> {
  readonly ground: string | null;
}

export interface Approval {
  readonly requestId: string;
  readonly approvedBy: string;
  readonly submittedBy: string;
  readonly approvedAt: Date;
}

/** A standing legal hold on a subject. */
export interface Hold {
  readonly id: string;
  readonly ref: SubjectRef;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly releasedBy: string | null;
  readonly releasedAt: Date | null;
  readonly reasonSealed: Sealed;
  readonly releaseReasonSealed: Sealed | null;
}

export interface HoldFilter {
  /** Only those that stand. */
  readonly standing: boolean;
  /** Only holds after this id in the list's order (newest first). */
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface LifeStore {
  /** Ids of the requests that are not closed and whose subject is known by one of these, oldest first. */
  listOpenRequestsOf(refs: readonly SubjectRef[]): Promise<readonly string[]>;
  /** Ids of the requests that a standing hold on this pseudonym keeps. */
  listHeldRequestsOf(ref: string): Promise<readonly string[]>;
  listDecisions(requestId: string): Promise<readonly KeptDecision[]>;
  listHolds(filter: HoldFilter): Promise<readonly Hold[]>;
}

/** A user in a project. */
export interface ErasurePlace {
  readonly refs: readonly SubjectRef[];
  readonly connection: string;
  readonly projectKey: string;
  /** The request that asks. */
  readonly but: string;
}

/** What is said of a request to who looks for its subject. */
export type RequestOf = Pick<
  ErasureRequest,
  'id' | 'type' | 'regulation' | 'state' | 'outcome' | 'receivedAt' | 'completedAt'
>;

export interface LifeTransaction {
  /** Requests, open or closed, whose subject is known by one of these; the newest first. */
  listRequestsOf(refs: readonly SubjectRef[], most: number): Promise<readonly RequestOf[]>;
  /** Ids of the other requests that are not closed and whose subject is known by one of these, oldest first. */
  listOpenRequestsOf(refs: readonly SubjectRef[], but: string): Promise<readonly string[]>;
  /**
   * The open request, but this one, that is still to erase this user in this project, if any. Whoever asks for the same
   * user waits until the transaction ends, so that each sees what the other made.
   */
  findOpenErasure(place: ErasurePlace): Promise<string | undefined>;
  /** Those of these pseudonyms (their `value`) on which a legal hold stands. */
  listStandingRefs(refs: readonly SubjectRef[]): Promise<ReadonlySet<string>>;
  /** Adds to the pseudonyms a request's subject is known by. */
  insertSubjectRefs(requestId: string, refs: readonly SubjectRef[]): Promise<void>;
  insertDecision(decision: NewDecision): Promise<void>;
  /** False when this key has approved already. Fails in the database when the approver is the submitter. */
  insertApproval(approval: Approval): Promise<boolean>;
  insertHold(hold: Hold & { readonly subjectSealed: Sealed }): Promise<void>;
  /** Locks the hold until the transaction ends. */
  lockHold(id: string): Promise<Hold | undefined>;
  releaseHold(release: { id: string; by: string; at: Date; reasonSealed: Sealed }): Promise<void>;
}
