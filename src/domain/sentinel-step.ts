import type { EventData, EventDraft } from './events.ts';
import type { CallFailure, Outcome, Page, RemoteSession } from './openreplay.ts';
import { delayed, nextLook, noted, type StepContext } from './task-step.ts';
import type { Task, Verification } from './task.ts';
import { firstFailure, judge, type VerificationReads } from './verify-step.ts';
import type { NextWork } from './work.ts';

/** What is read to see whether somebody who was erased is still gone. */
export interface SentinelReads extends VerificationReads {
  readonly userId: string;
  /** Sessions from `newFrom` on; left out where there are none at all. */
  readonly newer?: Outcome<Page<RemoteSession>> | undefined;
}

/**
 * How an erased subject is there again: with nothing but sessions from before the erasure, as after a backup was restored, or
 * in another way, and then the person may have come back.
 */
export type Reappearance = 'restored' | 'returned';

/** What a look at an erased task decided. No state ever changes by it. */
export type SentinelStep =
  | {
      readonly kind: 'looked';
      readonly events: readonly EventDraft[];
      /** Null after the last look. */
      readonly next: NextWork | null;
    }
  | { readonly kind: 'reappeared'; readonly how: Reappearance; readonly data: EventData };

/** Clocks of servers differ: what began so shortly before the erasure is taken for newer. */
const CLOCKS_DIFFER_MS = 600_000;

/** From when on a session of an erased subject is a new one, epoch ms. */
export function newFrom(task: Task): number {
  return erasedAt(task) - CLOCKS_DIFFER_MS;
}

/** When the task was last seen to be gone, epoch ms: it was erased with that. */
function erasedAt({ id, verification }: Task): number {
  if (verification === null) throw new Error(`task ${id} was erased without a verification`);
  return Date.parse(verification.verifiedAt);
}

/** What follows from a look: the next one, another try where a call failed, or that the subject is there again. */
export function afterSentinel(task: Task, reads: SentinelReads, context: StepContext): SentinelStep {
  const seen = judge(reads, reads.userId, context.now);
  const failure = firstFailure(reads, seen) ?? failureOf(reads.newer);
  if (failure !== undefined) return lookLater(task, failure, context);
  // Some servers keep the record for ever: one that was there at the verification is not back.
  const userIsBack = seen.user === 'residue' && task.verification?.user === 'absent';
  if (!userIsBack && seen.sessions !== 'residue' && seen.live !== 'residue') return stillGone(task, context);
  const how = isRestored(task, reads, seen) ? 'restored' : 'returned';
  const data = {
    how,
    user: seen.user,
    sessions_found: seen.sessionsFound,
    live: seen.live,
    age_ms: context.now - erasedAt(task),
  };
  return { kind: 'reappeared', how, data };
}

function failureOf(read: Outcome<unknown> | undefined): CallFailure | undefined {
  return read === undefined || read.ok ? undefined : read.failure;
}

/** It is looked again for as long as it takes; who reads the trail needs to know once. */
function lookLater(task: Task, failure: CallFailure, context: StepContext): SentinelStep {
  const { next, events } = delayed(task, { kind: 'sentinel', failure }, context);
  const isFirst = context.failingSince === null && events.length > 0;
  const reason = next?.reason ?? 'internal_error';
  return { kind: 'looked', events: isFirst ? [noted(task, 'task.sentinel_delayed', { reason })] : [], next };
}

/** Looks that were missed are made up for by one. */
function stillGone(task: Task, context: StepContext): SentinelStep {
  const since = erasedAt(task);
  const elapsed = context.now - since;
  const next = nextLook(since, context);
  const data = {
    age_ms: context.pace.sentinelAgesMs.findLast((age) => age <= elapsed) ?? elapsed,
    next_age_ms: next === null ? null : next.at - since,
  };
  return { kind: 'looked', events: [noted(task, 'task.sentinel_absent', data)], next };
}

/** Only where every sign says so: sessions are there, all from before, and nobody is live. */
function isRestored(task: Task, { sessions, newer }: SentinelReads, seen: Verification): boolean {
  if (seen.sessions !== 'residue' || seen.live === 'residue') return false;
  if (!sessions.ok || newer?.ok !== true || newer.value.items.length > 0) return false;
  if ((newer.value.total ?? 0) > 0) return false;
  return sessions.value.items.every(({ startTs }) => startTs !== undefined && startTs < newFrom(task));
}
