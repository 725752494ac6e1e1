import { liveSessionsOf } from './live-step.ts';
import type { EventDraft } from './events.ts';
import type { CallFailure, Outcome, Page, RemoteSession, RemoteUser } from './openreplay.ts';
import {
  cancelledTask,
  delayed,
  dueNow,
  handedToPerson,
  moved,
  nextLook,
  noted,
  rfc3339,
  type StepContext,
  type TaskStep,
} from './task-step.ts';
import {
  countReported,
  currentRound,
  needsStorageCheck,
  type Task,
  type TaskAttention,
  type Verification,
} from './task.ts';

/** The three reads that verification is made of, each on its own. */
export interface VerificationReads {
  readonly user: Outcome<RemoteUser>;
  /** The first page of the user's sessions over the whole time. */
  readonly sessions: Outcome<Page<RemoteSession>>;
  readonly live: Outcome<Page<RemoteSession>>;
}

/** The whole time, as OpenReplay's windows can say it: from 2000-01-01 to a day past now, for clocks that differ. */
export function wholeTime(nowMs: number): { startTimestamp: number; endTimestamp: number } {
  return { startTimestamp: 946_684_800_000, endTimestamp: nowMs + 86_400_000 };
}

/** The number of sessions a page-1 answer stands for; servers that name no total show at least what they list. */
export function sessionsOf(page: Page<RemoteSession>): number {
  return Math.max(page.total ?? 0, page.items.length);
}

/** What the reads show, store by store. An answer about somebody else is no answer. */
export function judge(reads: VerificationReads, userId: string, nowMs: number): Verification {
  const sessionsFound = reads.sessions.ok ? sessionsOf(reads.sessions.value) : null;
  return {
    user: userResult(reads.user, userId),
    sessions: sessionsFound === null ? 'unavailable' : sessionsFound > 0 ? 'residue' : 'absent',
    sessionsFound,
    live: liveResult(reads.live, userId),
    liveOffered: reads.live.ok || reads.live.failure.kind !== 'not_available',
    verifiedAt: rfc3339(nowMs),
  };
}

function userResult(read: Outcome<RemoteUser>, userId: string): Verification['user'] {
  if (read.ok) return read.value.userId === userId ? 'residue' : 'unavailable';
  return read.failure.kind === 'not_found' ? 'absent' : 'unavailable';
}

function liveResult(read: Outcome<Page<RemoteSession>>, userId: string): Verification['live'] {
  if (!read.ok) return 'unavailable';
  // A server that ignores the filter lists everybody; whom it names otherwise is not the subject.
  return liveSessionsOf(read.value, userId).length > 0 ? 'residue' : 'absent';
}

/** What follows from a verification: erased, another round, another look, or a person. */
export function afterVerify(
  task: Task,
  reads: VerificationReads & { userId: string },
  context: StepContext,
): TaskStep {
  const seen = judge(reads, reads.userId, context.now);
  const failure = firstFailure(reads, seen);
  if (failure !== undefined)
    return delayed(task, { kind: 'verify', failure, patch: { verification: seen } }, context);
  const verified = noted(task, 'task.verified', eventData(task, seen));
  if (seen.sessions === 'residue' && mayShrink(task, seen, context))
    return nextRound(task, { seen, verified }, context);
  const attention = residueOf(seen, context);
  if (attention === undefined) return erased(task, { seen, verified }, context);
  if (isSettling(task, context)) return lookAgain(seen, verified, context);
  const patch = { verification: seen };
  return handedToPerson(task, { to: 'residue', attention, patch, before: [verified] }, context);
}

/** The first of the reads that brought nothing to judge by, if any. */
export function firstFailure(reads: VerificationReads, seen: Verification): CallFailure | undefined {
  if (seen.user === 'unavailable')
    return reads.user.ok ? { kind: 'unreadable', status: 200 } : reads.user.failure;
  if (!reads.sessions.ok) return reads.sessions.failure;
  return !reads.live.ok && seen.liveOffered ? reads.live.failure : undefined;
}

/**
 * Fewer sessions than before the round, or nothing known of before: another round can bring it to none. So can one
 * after a job that vanished, which may never have run.
 */
function mayShrink(task: Task, seen: Verification, context: StepContext): boolean {
  const round = currentRound(task);
  const before = round?.sessionsBefore ?? null;
  if (seen.sessionsFound === null) return false;
  if (before === null || seen.sessionsFound < before) return true;
  return (
    round?.reported === 'vanished' && countReported(task, 'vanished') < context.pace.rounds.maxFailedJobs
  );
}

function residueOf(seen: Verification, context: StepContext): TaskAttention | undefined {
  if (seen.sessions === 'residue') return 'residue_sessions';
  if (seen.live === 'residue') return 'residue_live';
  if (seen.user === 'residue' && context.pace.verification.requireUserAbsent) return 'residue_user';
  return undefined;
}

function isSettling(task: Task, context: StepContext): boolean {
  if (task.verifyingSince === null) return false;
  return context.now - Date.parse(task.verifyingSince) < context.pace.verification.settleMs;
}

/** What was seen, and the event that tells of it. */
interface Seen {
  readonly seen: Verification;
  readonly verified: EventDraft;
}

function nextRound(task: Task, options: Seen, context: StepContext): TaskStep {
  const patch = { verification: options.seen };
  const before = [options.verified];
  if (context.cancelRequested) return cancelledTask(task, { patch, before });
  if (task.rounds.length >= context.pace.rounds.max) {
    return handedToPerson(task, { to: 'residue', attention: 'too_many_rounds', patch, before }, context);
  }
  const needed = moved(task, {
    to: 'pending',
    type: 'task.round_needed',
    data: { because: 'sessions_left' },
  });
  return { to: 'pending', patch, events: [...before, needed], next: dueNow('submit', context) };
}

/** Stores of OpenReplay follow each other with a lag, so what is still seen gets some time to disappear. */
function lookAgain(seen: Verification, verified: EventDraft, context: StepContext): TaskStep {
  const { retryMs } = context.pace.verification;
  return {
    patch: { verification: seen },
    events: [verified],
    next: { kind: 'verify', at: context.now + retryMs, reason: 'settling', attempts: 0 },
  };
}

function erased(task: Task, { seen, verified }: Seen, context: StepContext): TaskStep {
  const data = { rounds: task.rounds.length, storage_check_needed: needsStorageCheck(task.rounds) };
  return {
    to: 'erased',
    patch: { verification: seen, attention: null },
    events: [verified, moved(task, { to: 'erased', type: 'task.erased', data })],
    next: nextLook(context.now, context),
  };
}

function eventData(task: Task, seen: Verification): Record<string, string | number | boolean | null> {
  return {
    round: task.rounds.length,
    user: seen.user,
    sessions: seen.sessions,
    sessions_found: seen.sessionsFound,
    live: seen.live,
    live_offered: seen.liveOffered,
  };
}
