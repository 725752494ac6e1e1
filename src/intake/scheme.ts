import { createHash } from 'node:crypto';
import type { Authenticity, RawDelivery, ReplayKey } from '../app/ports/intake.ts';

/** How one kind of system signs what it delivers. */
export interface Scheme {
  /** Over the raw bytes, in constant time, before anything is parsed that is not signed. */
  check(delivery: RawDelivery): Authenticity;
  /** What the system would send, to try a configuration; signed with the first secret. */
  sign(payload: SignedNow): SentDelivery;
}

export interface SignedNow {
  readonly body: Uint8Array;
  readonly now: Date;
  /** Of this delivery, where the system gives it one. */
  readonly id: string;
}

export interface SentDelivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export const REFUSED: Authenticity = { ok: false };

const HOUR_MS = 3_600_000;
/** What carries no name of its own is known by its body, for so long; then the same text may be said anew. */
const REMEMBER_BODY_MS = 24 * HOUR_MS;
/** Longer than any sender tries again, by itself or by a person's hand. */
const REMEMBER_ID_MS = 30 * 24 * HOUR_MS;
/** How far a clock may be from ours, and how long a signed message may be on its way. */
export const TOLERANCE_MS = 300_000;

/** The name that the sender gave a delivery. */
export function idKey(id: string): ReplayKey {
  return keyOf('id', Buffer.from(id), REMEMBER_ID_MS);
}

/** What was signed: most senders' names of a delivery are not, so whoever saw one could send it under another. */
export function contentKey(...signed: readonly Uint8Array[]): ReplayKey {
  return keyOf('content', Buffer.concat(signed), REMEMBER_BODY_MS);
}

function keyOf(kind: string, bytes: Uint8Array, rememberMs: number): ReplayKey {
  return { key: createHash('sha256').update(`${kind}\0`).update(bytes).digest(), rememberMs };
}

/** A name that a sender gives a delivery: one word. */
const ID = /^[\x21-\x7e]{1,256}$/;
export function isId(text: string | null | undefined): text is string {
  return typeof text === 'string' && ID.test(text);
}
