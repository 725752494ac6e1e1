import type { CallMood, CallTrouble, ClosingReason } from '../../domain/connection-mood.ts';
import type { CallFailure } from '../../domain/openreplay.ts';
import type { Sealed } from './sealed.ts';

/** Stands before every call to one OpenReplay server. */
export interface CallGate {
  /** Waits for the call's turn; says why where it may not leave. Never rejects. */
  enter(): Promise<Pass | Withheld>;
}
export type Withheld = Extract<CallFailure, { kind: 'withheld' }>;

/** Leave for one call. */
export interface Pass {
  readonly kind: 'pass';
  /** Told what came of the call. Never rejects. */
  leave(mood: CallMood): Promise<void>;
}

/** What all processes know of a server, as of one look. */
export interface ConnectionState {
  readonly paused: boolean;
  /** Calls that failed in a row. */
  readonly failures: number;
  /** From the look until one call may be tried, 0 or less when it may; null while all is well. */
  readonly shutForMs: number | null;
  readonly shutReason: ClosingReason | null;
}

/** How many failures in a row make a server be left alone, and for how long: twice as long each time, from `baseMs` up. */
export interface BreakerPace {
  readonly failures: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/** A connection's row, as people see it. */
export interface ConnectionRow {
  readonly name: string;
  readonly pausedAt: Date | null;
  readonly pausedBy: string | null;
  readonly reasonSealed: Sealed | null;
  readonly shutReason: ClosingReason | null;
  readonly shutUntil: Date | null;
  /** No call may leave yet; else, where there is a `shutUntil`, one may be tried. */
  readonly isShut: boolean;
  readonly failures: number;
}

export interface ConnectionStateStore {
  /** Those that have a row. */
  listConnectionStates(names: readonly string[]): Promise<readonly ConnectionRow[]>;
}
export interface ConnectionStateTransaction {
  /** Whether it was not paused before. */
  pauseConnection(pause: { name: string; by: string; at: Date; reasonSealed: Sealed }): Promise<boolean>;
  /** Opens it, whoever shut it; whether it was paused. What waited for it is due. */
  resumeConnection(name: string): Promise<boolean>;
}

export interface GateStore {
  readConnectionState(name: string): Promise<ConnectionState>;
  /** Whether the caller may try the server with one call; nobody else may within `trialMs`. */
  beginTrial(name: string, trialMs: number): Promise<boolean>;
  /** Counts a failure; a server that failed on trial, too often or wants it so is left alone. */
  noteTrouble(
    name: string,
    trouble: CallTrouble & { trial: boolean; pace: BreakerPace },
  ): Promise<ConnectionState>;
  /** A call succeeded; one on trial opens the server again. */
  noteSuccess(name: string, options: { trial: boolean }): Promise<ConnectionState>;
  /** Takes the next `count` places for calls, so far apart. Milliseconds until the first of them. */
  reserveCalls(name: string, count: number, intervalMs: number): Promise<number>;
}
