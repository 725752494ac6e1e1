import type { Outcome, Page, RemoteSession } from './openreplay.ts';
import { noted, rfc3339, type StepContext, type TaskStep } from './task-step.ts';
import type { Task } from './task.ts';

/** How often a subject who is live is looked at, at most. */
const LOOK_AGAIN_MS = 60_000;

/** The subject's live sessions among those read: servers that cannot narrow by user give everybody's. */
export function liveSessionsOf(sessions: Page<RemoteSession>, userId: string): readonly RemoteSession[] {
  return sessions.items.filter((session) => session.userId === undefined || session.userId === userId);
}

/**
 * Whether the deletion should wait for the subject's live session to end, since what is written after the run stays.
 * Only before a round is begun, and not for ever.
 *
 * @param read live sessions; a server that has none, or does not answer, keeps nothing waiting
 * @param now epoch ms
 */
export function waitsForLive(
  task: Pick<Task, 'state' | 'liveSince'>,
  by: { read: Outcome<Page<RemoteSession>>; userId: string; now: number; waitForLiveMs: number },
): boolean {
  if (task.state !== 'pending' || !by.read.ok || liveSessionsOf(by.read.value, by.userId).length === 0)
    return false;
  const since = task.liveSince === null ? by.now : Date.parse(task.liveSince);
  return by.now - since < by.waitForLiveMs;
}

/** The task waits: who was seen live is looked at again soon. */
export function afterLive(task: Task, context: StepContext): TaskStep {
  const { now, pace } = context;
  const liveSince = task.liveSince ?? rfc3339(now);
  const until = Date.parse(liveSince) + pace.waitForLiveMs;
  const lookAgainMs = Math.min(LOOK_AGAIN_MS, Math.ceil(pace.waitForLiveMs / 10));
  const at = Math.max(now + 1, Math.min(now + lookAgainMs, until));
  const first = task.liveSince === null;
  return {
    patch: first ? { liveSince } : {},
    events: first ? [noted(task, 'task.subject_live', { wait_until: rfc3339(until) })] : [],
    next: { kind: 'submit', at, reason: 'subject_live', attempts: 0 },
  };
}
