import type { Quota } from '../../domain/rate-limit.ts';
import type { Regulation } from '../../domain/regulation.ts';
import type { MappingProblem, SourceKind, TicketRules } from '../../domain/ticket.ts';
import type { WorkKind } from '../../domain/work.ts';
import type { Sealed } from './sealed.ts';
import type { DataKey } from './vault.ts';

/** What comes in from systems that cannot speak to our API. Part of ports.ts. */

/** A call as it came, before anything was read of its body. */
export interface RawDelivery {
  /** The value of a header by its name in small letters; undefined when it is missing, null when it is empty or comes twice. */
  readonly header: (name: string) => string | null | undefined;
  /** The exact bytes. */
  readonly body: Uint8Array;
  readonly now: Date;
}

/** Whether a call is from whom it says; if so, what it is known again by. */
export type Authenticity =
  | { readonly ok: false }
  | {
      readonly ok: true;
      /** What no two deliveries share; a delivery of which one is known is a replay. */
      readonly replayKeys: readonly ReplayKey[];
    };

/** Something that a delivery is known again by. */
export interface ReplayKey {
  /** SHA-256. */
  readonly key: Uint8Array;
  readonly rememberMs: number;
}

/** A configured source of tickets. */
export interface TicketSource {
  /** `[a-z0-9][a-z0-9-]{0,31}`; the last step of its path. */
  readonly name: string;
  readonly kind: SourceKind;
  readonly rules: TicketRules;
  /** The connection that user ids belong to; undefined where there is one, or tickets name e-mail addresses. */
  readonly connection: string | undefined;
  readonly regulation: Regulation;
  /** Checks a call over its raw bytes, in constant time. */
  check(delivery: RawDelivery): Authenticity;
  /** Counts a good delivery, in this process. */
  use(): Quota;
}

/** The configuration of what comes in. */
export interface Intake {
  readonly sources: ReadonlyMap<string, TicketSource>;
  readonly maxBodyBytes: number;
  /** How long the body of a delivery is kept that cannot be mapped. */
  readonly keepUnmappableMs: number;
}

/** Keys that count once, however often and to whichever process they come. */
export interface ReplayGuard {
  /** The way in. */
  readonly scope: string;
  /** No two the same. */
  readonly keys: readonly ReplayKey[];
}

export interface NewDelivery {
  readonly id: string;
  readonly source: string;
  readonly dataKey: DataKey;
  readonly bodySealed: Sealed;
  /** The connection whose queue judges it. */
  readonly connection: string;
}

export const DELIVERY_STATES = ['received', 'unmappable'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** What became of deliveries of which nothing is kept. */
export const DELIVERY_OUTCOMES = ['accepted', 'known_ticket', 'not_matching', 'expired'] as const;
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number];

/** The work of judging one delivery, held by the one worker that knows its lease. */
export interface JudgingWork {
  readonly id: string;
  readonly lease: string;
  readonly kind: WorkKind;
  readonly attempts: number;
}

/** A delivery in a worker's hands. */
export interface HeldDelivery {
  readonly work: JudgingWork;
  readonly id: string;
  readonly source: string;
  readonly state: DeliveryState;
  readonly receivedAt: Date;
  /** Milliseconds since it was received, by the database's clock. */
  readonly ageMs: number;
  readonly dataKey: DataKey;
  readonly bodySealed: Sealed;
}

/** A delivery as people see it. */
export interface Delivery {
  readonly id: string;
  readonly source: string;
  readonly state: DeliveryState;
  readonly receivedAt: Date;
  readonly judgedAt: Date | null;
  readonly problems: readonly MappingProblem[];
}

export interface DeliveryFilter {
  /** Only this one. */
  readonly id?: string;
  readonly source?: string;
  readonly state?: DeliveryState;
  /** Only deliveries after this id in the list's order (newest first). */
  readonly before?: string;
  readonly limit: number;
}

/** How many deliveries of a source: those that are there, by their state, and those that were, by what became of them. */
export interface SourceCounts {
  readonly source: string;
  readonly states: Readonly<Record<DeliveryState, number>>;
  readonly outcomes: Readonly<Record<DeliveryOutcome, number>>;
}

/** The ticket that a request was made of. */
export interface TicketOfRequest {
  readonly requestId: string;
  readonly source: string;
  readonly reference: string;
  readonly changedAt: Date | null;
  readonly changed: readonly string[];
}

/** HMAC of each thing that a request was made of, in hex, by its name. */
export type TicketMarks = Readonly<Record<string, string>>;

export interface TicketClaim {
  readonly source: string;
  readonly reference: string;
  readonly requestId: string;
  readonly marks: TicketMarks;
  /** HMAC of the body. */
  readonly body: Uint8Array;
}

/** A ticket that has its request. */
export interface KnownTicket {
  readonly requestId: string;
  readonly marks: TicketMarks;
  readonly lastBody: Uint8Array;
}

export interface IntakeStore {
  /**
   * Keeps a delivery with the work of judging it, in one statement, unless it came before.
   *
   * @returns false for a replay: nothing is kept of it
   */
  keepDelivery(delivery: NewDelivery, guard: ReplayGuard): Promise<boolean>;
  /** As takeWork, with what is to be judged. */
  takeDeliveries(
    leases: readonly Pick<JudgingWork, 'id' | 'lease'>[],
    holdMs: number,
  ): Promise<readonly HeldDelivery[]>;
  listDeliveries(filter: DeliveryFilter): Promise<readonly Delivery[]>;
  countDeliveries(): Promise<readonly SourceCounts[]>;
  findTicket(requestId: string): Promise<TicketOfRequest | undefined>;
  /** Those of these tickets that have a request, with its id. */
  listKnownTickets(
    tickets: readonly Pick<TicketOfRequest, 'source' | 'reference'>[],
  ): Promise<readonly Pick<TicketOfRequest, 'source' | 'reference' | 'requestId'>[]>;
  /** Takes some replay keys away that need not be remembered any more. */
  forgetReplayKeys(limit: number): Promise<void>;
}

export interface IntakeTransaction {
  findKnownTicket(source: string, reference: string): Promise<KnownTicket | undefined>;
  /**
   * Ends deliveries: nothing is kept of them but that there were so many.
   *
   * @returns how many were still the caller's
   */
  endDeliveries(
    deliveries: readonly Pick<HeldDelivery, 'work' | 'id' | 'source'>[],
    outcome: DeliveryOutcome,
  ): Promise<number>;
  /** Notes why a delivery cannot be mapped, and when its body goes. False when it is no longer the caller's. */
  noteUnmappable(
    delivery: Pick<HeldDelivery, 'work' | 'id'>,
    problems: readonly MappingProblem[],
    keepMs: number,
  ): Promise<boolean>;
  /** Makes a delivery due that cannot be mapped. Undefined when there is none with this id. */
  judgeAgain(id: string): Promise<{ readonly again: boolean } | undefined>;
  /**
   * Takes tickets for the requests that are made of them in this transaction; waits for others that take the same.
   *
   * @param claims no two of one ticket
   * @returns ids of the requests whose tickets had none
   */
  claimTickets(claims: readonly TicketClaim[]): Promise<ReadonlySet<string>>;
  noteTicketChange(ticket: {
    readonly source: string;
    readonly reference: string;
    readonly body: Uint8Array;
    readonly changed: readonly string[];
  }): Promise<void>;
}
