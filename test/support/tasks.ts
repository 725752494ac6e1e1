import type { Pace } from '../../src/domain/pace.ts';
import type { StepContext } from '../../src/domain/task-step.ts';
import type { Round, Task } from '../../src/domain/task.ts';

/** Noon of a day, as the database's time in unit tests. */
export const NOON = Date.parse('2026-03-05T12:00:00Z');

export const PACE: Pace = {
  polling: { minIntervalMs: 10_000, maxIntervalMs: 900_000, fraction: 0.25 },
  verification: { settleMs: 600_000, retryMs: 60_000, requireUserAbsent: true },
  retry: { baseMs: 2_000, maxMs: 900_000, patienceMs: 86_400_000, beforeDueMs: 259_200_000 },
  jobs: { overdueMs: 93_600_000, stalledMs: 180_000_000 },
  rounds: { max: 5, maxFailedJobs: 3 },
  waitForLiveMs: 0,
  sentinelAgesMs: [],
};

/** A step's context at noon, with the most jitter. */
export function contextAt(changes: Partial<StepContext> = {}): StepContext {
  return {
    now: NOON,
    pace: PACE,
    random: 0.999_999,
    attempts: 0,
    failingSince: null,
    dueAt: null,
    cancelRequested: false,
    onHold: false,
    ...changes,
  };
}

/** A round whose job was scheduled an hour before noon. */
export function round(changes: Partial<Round> = {}): Round {
  return {
    number: 1,
    jobId: '71',
    adopted: false,
    reported: 'scheduled',
    sessionsBefore: 10,
    intendedAt: '2026-03-05T11:00:00.000Z',
    submittedAt: '2026-03-05T11:00:00.000Z',
    startAt: null,
    endedAt: null,
    doubts: 0,
    ...changes,
  };
}

/** A submitted task with one round. */
export function task(changes: Partial<Task> = {}): Task {
  return {
    id: 'tk_1',
    requestId: 'er_1',
    connection: 'default',
    projectKey: 'projectA',
    state: 'submitted',
    unroutableReason: null,
    attention: null,
    rounds: [round()],
    verification: null,
    verifyingSince: null,
    userRef: 'ab'.repeat(32),
    liveSince: null,
    ...changes,
  };
}
