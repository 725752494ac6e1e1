import type { AttemptOutcome, CallbackState, DeliveryState } from '../../domain/callback.ts';
import type { DeliveryStep } from '../../domain/delivery-step.ts';
import type { Sealed } from './sealed.ts';

/** What the use cases need to keep callbacks and to deliver. Part of ports.ts. */

export interface Callback {
  readonly id: string;
  readonly name: string;
  readonly urlSealed: Sealed;
  readonly secretSealed: Sealed;
  /** The secret before the last rotation; with it is signed too until `oldSecretUntil`. */
  readonly oldSecretSealed: Sealed | null;
  readonly oldSecretUntil: Date | null;
  readonly events: readonly string[];
  readonly state: CallbackState;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly failingSince: Date | null;
}

/** A message to one receiver. */
export interface Delivery {
  readonly id: string;
  /** Where it comes in the order in which all were written. */
  readonly place: string;
  /** Null of an answer to a ticket. */
  readonly callbackId: string | null;
  /** Null of a test. */
  readonly requestId: string | null;
  readonly eventSeq: number | null;
  readonly type: string;
  readonly createdAt: Date;
  readonly state: DeliveryState;
  readonly runAt: Date | null;
  /** Failed attempts of the schedule under way. */
  readonly attempts: number;
  readonly intendedAt: Date | null;
  readonly settledAt: Date | null;
}

export interface Attempt {
  readonly at: Date;
  readonly outcome: AttemptOutcome;
  readonly status: number | null;
  readonly durationMs: number;
}

export interface DeliveryWithAttempts extends Delivery {
  /** The latest first, at most 20. */
  readonly log: readonly Attempt[];
}

/** A delivery in a worker's hands. */
export interface TakenDelivery extends Delivery {
  readonly lease: string;
  /** The database's time when it was taken. */
  readonly takenAt: Date;
}

/** What an attempt came to, to be written under its lease. */
export interface Settlement {
  readonly delivery: TakenDelivery;
  readonly attempt: Omit<Attempt, 'at'>;
  readonly step: DeliveryStep;
}

export interface DeliveryPage {
  readonly of: { readonly callbackId: string } | { readonly requestId: string };
  readonly state?: DeliveryState | undefined;
  /** Only those before this one in the list's order, newest first. */
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface CallbackStore {
  /** The oldest first. */
  listCallbacks(): Promise<readonly Callback[]>;
  findCallback(id: string): Promise<Callback | undefined>;
  listSentDeliveries(page: DeliveryPage): Promise<readonly DeliveryWithAttempts[]>;
  /**
   * Leases deliveries that are due: of each active callback, and of answers to tickets together, at most so many at a time
   * over all processes, so that a slow receiver keeps nobody else waiting. Of a request's answers only the first that waits.
   */
  takeDueDeliveries(limits: { perReceiver: number; leaseMs: number }): Promise<readonly TakenDelivery[]>;
  /** Deletes what was settled so long ago, and what waits that long for a callback that is not active. */
  tidyDeliveries(keepMs: number): Promise<number>;
  /** Makes the targets of answers to tickets that are known to the database these. */
  setReplyTargets(names: readonly string[]): Promise<void>;
  /** Whether an event of this type stands in the request's trail. */
  hasEvent(requestId: string, type: string): Promise<boolean>;
}

export interface CallbackTransaction {
  insertCallback(
    callback: Pick<
      Callback,
      'id' | 'name' | 'urlSealed' | 'secretSealed' | 'events' | 'createdBy' | 'createdAt'
    >,
  ): Promise<void>;
  countCallbacks(): Promise<number>;
  /** Locks it until the transaction ends. */
  lockCallback(id: string): Promise<Callback | undefined>;
  /** Writes all that can change of a callback. */
  updateCallback(callback: Callback): Promise<void>;
  /** With its deliveries. */
  deleteCallback(id: string): Promise<void>;
  /** A delivery that an event did not bring about, due at once. */
  insertTestDelivery(delivery: { id: string; callbackId: string; type: string }): Promise<Delivery>;
  /** Locks it until the transaction ends. */
  lockDelivery(id: string): Promise<Delivery | undefined>;
  /** Begins the schedule of a delivery anew, now. */
  redeliver(id: string): Promise<Delivery>;
  /** False when the delivery is no longer the caller's: nothing was written. */
  settleDelivery(settlement: Settlement): Promise<boolean>;
  /** As CallbackStore.hasEvent. */
  hasEvent(requestId: string, type: string): Promise<boolean>;
  /** Deletes a delivery that nobody wants, if it is still the caller's. */
  dropDelivery(delivery: TakenDelivery): Promise<void>;
  /** Notes that a ticket is about to be changed. False when the delivery is no longer the caller's. */
  intendReply(delivery: TakenDelivery): Promise<boolean>;
}
