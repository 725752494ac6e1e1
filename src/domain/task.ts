import type { UnroutableReason } from './identifiers.ts';
import type { RemoteStatus } from './openreplay.ts';
import type { TaskState } from './states.ts';

/**
 * What OpenReplay reported of a round's job: a status of its own, `no_such_user` (the contract's 404 to a
 * delete), or `vanished` (single reads and the whole list no longer know it).
 */
export type Reported = RemoteStatus | 'no_such_user' | 'vanished';

/** One job asked of OpenReplay. A heavy user needs several, since a job deletes at most 1,000 sessions. */
export interface Round {
  /** From 1. */
  readonly number: number;
  /** Null between the recorded intent and OpenReplay's answer. */
  readonly jobId: string | null;
  /** The job was found running rather than asked for by this round (a 409, or an answer that was lost). */
  readonly adopted: boolean;
  readonly reported: Reported | null;
  /** Sessions counted before the round; null when not counted. */
  readonly sessionsBefore: number | null;
  /** RFC 3339. */
  readonly intendedAt: string;
  readonly submittedAt: string | null;
  /** When OpenReplay says that the job may start, where it does. */
  readonly startAt: string | null;
  readonly endedAt: string | null;
  /** RFC 3339: when it was noted that the job is late; absent while it is not. */
  readonly overdueAt?: string | undefined;
  /** RFC 3339: when the job was late enough to be called back; absent while it is not. */
  readonly stalledAt?: string | undefined;
  /** Consecutive reads that cast doubt: the job was unknown, or cancelled by somebody else. */
  readonly doubts: number;
}

export type CheckResult = 'absent' | 'residue' | 'unavailable';

/** What was seen by reading again after the job, each store on its own. */
export interface Verification {
  readonly user: CheckResult;
  readonly sessions: CheckResult;
  /** Sessions found over the whole time; null when unavailable. */
  readonly sessionsFound: number | null;
  /** `unavailable` also where the server has no live sessions at all. */
  readonly live: CheckResult;
  readonly liveOffered: boolean;
  /** RFC 3339. */
  readonly verifiedAt: string;
}

/** Why a person is needed for a task. */
export const TASK_ATTENTIONS = [
  'unroutable',
  'residue_sessions',
  'residue_user',
  'residue_live',
  'too_many_rounds',
  'jobs_keep_failing',
  'jobs_keep_being_cancelled',
  'jobs_keep_stalling',
  'openreplay_keeps_failing',
  'submission_rejected',
  'unsendable',
] as const;
export type TaskAttention = (typeof TASK_ATTENTIONS)[number];

/** One data subject in one project of one connection. */
export interface Task {
  readonly id: string;
  readonly requestId: string;
  readonly connection: string;
  /** Null only for an unroutable id without named projects: it stands for all of them. */
  readonly projectKey: string | null;
  /** Pseudonym of the user id that this task erases. */
  readonly userRef: string | null;
  readonly state: TaskState;
  readonly unroutableReason: UnroutableReason | null;
  readonly attention: TaskAttention | null;
  readonly rounds: readonly Round[];
  readonly verification: Verification | null;
  /** When the first verification after the current round looked, RFC 3339; the settling time counts from it. */
  readonly verifyingSince: string | null;
  /** When the subject was first seen live before this round's submission, RFC 3339. */
  readonly liveSince: string | null;
}

/** The round under way, or undefined before the first. */
export function currentRound(task: Task): Round | undefined {
  return task.rounds.at(-1);
}

/** The task's rounds with the last one changed. */
export function withCurrentRound(task: Task, change: Partial<Round>): readonly Round[] {
  const last = currentRound(task);
  if (last === undefined) return task.rounds;
  return [...task.rounds.slice(0, -1), { ...last, ...change }];
}

/** How many of the task's jobs OpenReplay reported with this status. */
export function countReported(task: Task, reported: Reported): number {
  return task.rounds.filter((round) => round.reported === reported).length;
}

/**
 * Whether somebody should look at the recordings' storage: a job failed after it had deleted rows, so the success
 * that followed passed over recordings it could no longer name. OpenReplay's API cannot show those.
 */
export function needsStorageCheck(rounds: readonly Round[]): boolean {
  return rounds.some((round, index) => {
    const following = rounds[index + 1];
    if (round.reported !== 'failed' || following === undefined) return false;
    if (round.sessionsBefore === null || following.sessionsBefore === null) return true;
    return following.sessionsBefore < round.sessionsBefore;
  });
}
