import { describe, expect, it } from '@jest/globals';
import { afterCancel } from '../../src/domain/cancel-step.ts';
import type {
  CallFailure,
  Outcome,
  Page,
  RemoteJob,
  RemoteSession,
  RemoteUser,
} from '../../src/domain/openreplay.ts';
import { afterPoll, mustReadList } from '../../src/domain/poll-step.ts';
import { rollUp } from '../../src/domain/request.ts';
import { afterSubmit, intendSubmission } from '../../src/domain/submit-step.ts';
import { needsStorageCheck, type Task } from '../../src/domain/task.ts';
import { afterVerify, type VerificationReads } from '../../src/domain/verify-step.ts';
import { request } from '../support/requests.ts';
import { contextAt, NOON, PACE, round, task } from '../support/tasks.ts';

const USER = 'alice';
const job = (changes: Partial<RemoteJob> = {}): RemoteJob => ({
  jobId: '71',
  status: 'scheduled',
  createdAt: NOON,
  startAt: undefined,
  referenceId: USER,
  hasErrors: false,
  ...changes,
});
const fails = (failure: CallFailure): Outcome<never> => ({ ok: false, failure });
const page = (total: number): Outcome<Page<RemoteSession>> => ({ ok: true, value: { items: [], total } });
const user = (userId: string): Outcome<RemoteUser> => ({
  ok: true,
  value: { userId, email: undefined, country: undefined, sessionsCount: undefined },
});
const GONE: VerificationReads = {
  user: fails({ kind: 'not_found' }),
  sessions: page(0),
  live: fails({ kind: 'not_available', status: 404 }),
};

describe('submitting', () => {
  const pending = task({ state: 'pending', rounds: [] });
  const submitting = task({
    state: 'submitting',
    rounds: [round({ jobId: null, reported: null, submittedAt: null })],
  });

  it('records the intent as a new round before anything is sent', () => {
    const step = intendSubmission(pending, contextAt());
    expect(step.to).toBe('submitting');
    expect(step.patch.rounds).toMatchObject([{ number: 1, jobId: null, submittedAt: null }]);
  });

  it('resumes an intent without an answer instead of making another', () => {
    const step = intendSubmission(submitting, contextAt());
    expect(step.to).toBeUndefined();
    expect(step.patch.rounds).toBeUndefined();
    expect(step.events.map((event) => event.type)).toEqual(['task.submission_resumed']);
  });

  it('sleeps until the time that OpenReplay names', () => {
    const startAt = Date.parse('2026-03-06T00:00:00Z');
    const step = afterSubmit(
      submitting,
      { kind: 'job', job: job({ startAt }), adopted: false, sessionsBefore: 3 },
      contextAt(),
    );
    expect(step).toMatchObject({
      to: 'submitted',
      next: { kind: 'poll', at: startAt, reason: 'job_scheduled' },
    });
  });

  it('never takes a 404 for erased: it looks', () => {
    const step = afterSubmit(submitting, { kind: 'no_such_user', sessionsBefore: 0 }, contextAt());
    expect(step).toMatchObject({ to: 'verifying', next: { kind: 'verify', at: NOON } });
  });

  it.each<CallFailure>([
    { kind: 'unauthorized' },
    { kind: 'server_error', status: 500 },
    { kind: 'no_answer', reason: 'reset' },
    { kind: 'unreachable' },
    { kind: 'conflict' },
    { kind: 'redirected', status: 302 },
  ])('keeps the intent and tries again after %j', (failure) => {
    const step = afterSubmit(submitting, { kind: 'failure', failure, sessionsBefore: null }, contextAt());
    expect(step.to).toBeUndefined();
    expect(step.next).toMatchObject({ kind: 'submit', attempts: 1 });
    expect(step.events).toHaveLength(1);
  });

  it('waits as long as a 429 asks', () => {
    const failure = { kind: 'rate_limited', retryAfterMs: 120_000 } as const;
    const step = afterSubmit(submitting, { kind: 'failure', failure, sessionsBefore: null }, contextAt());
    expect(step.next).toMatchObject({ at: NOON + 120_000, reason: 'rate_limited' });
  });

  it('hands what OpenReplay refuses to a person', () => {
    const failure = { kind: 'rejected', status: 400 } as const;
    const step = afterSubmit(submitting, { kind: 'failure', failure, sessionsBefore: null }, contextAt());
    expect(step).toMatchObject({ to: 'failed', patch: { attention: 'submission_rejected' }, next: null });
  });
});

describe('polling', () => {
  it('goes to verification when the job is reported completed', () => {
    const step = afterPoll(task(), { kind: 'job', job: job({ status: 'completed' }) }, contextAt());
    expect(step).toMatchObject({ to: 'verifying', next: { kind: 'verify' } });
  });

  it('spaces looks by a quarter of the time waited, within bounds', () => {
    const next = (since: string) => {
      const waiting = task({ rounds: [round({ submittedAt: since })] });
      return (afterPoll(waiting, { kind: 'job', job: job() }, contextAt()).next?.at ?? 0) - NOON;
    };
    expect(next('2026-03-05T11:59:59.000Z')).toBe(10_000);
    expect(next('2026-03-05T11:58:00.000Z')).toBe(30_000);
    expect(next('2026-03-01T00:00:00.000Z')).toBe(900_000);
  });

  it('asks anew after a failed job, and counts', () => {
    const failed = { kind: 'job', job: job({ status: 'failed' }) } as const;
    expect(afterPoll(task(), failed, contextAt())).toMatchObject({ to: 'pending', next: { kind: 'submit' } });
    const third = task({
      rounds: [round({ reported: 'failed' }), round({ reported: 'failed' }), round({ number: 3 })],
    });
    expect(afterPoll(third, failed, contextAt())).toMatchObject({
      to: 'failed',
      patch: { attention: 'jobs_keep_failing' },
    });
  });

  it('takes no single 404 for a verdict: several, then the list, decide', () => {
    let waiting: Task = task();
    for (let miss = 1; miss <= 2; miss += 1) {
      expect(mustReadList(waiting)).toBe(false);
      const step = afterPoll(waiting, { kind: 'missing', listed: false }, contextAt());
      expect(step.to).toBeUndefined();
      waiting = { ...waiting, ...step.patch };
    }
    expect(mustReadList(waiting)).toBe(true);
    const step = afterPoll(waiting, { kind: 'missing', listed: true }, contextAt());
    expect(step).toMatchObject({ to: 'verifying', patch: { rounds: [{ reported: 'vanished' }] } });
  });

  it('looks again at a job cancelled by somebody else, since it can still complete', () => {
    const cancelled = { kind: 'job', job: job({ status: 'cancelled' }) } as const;
    const first = afterPoll(task(), cancelled, contextAt());
    expect(first).toMatchObject({ next: { kind: 'poll', reason: 'job_cancelled_by_somebody' } });
    const doubted = task({ rounds: [round({ reported: 'cancelled', doubts: 2 })] });
    expect(afterPoll(doubted, cancelled, contextAt())).toMatchObject({
      to: 'pending',
      next: { kind: 'submit' },
    });
    expect(afterPoll(doubted, { kind: 'job', job: job({ status: 'completed' }) }, contextAt()).to).toBe(
      'verifying',
    );
  });
});

describe('verifying', () => {
  const verifying = (changes: Partial<Task> = {}) =>
    task({ state: 'verifying', verifyingSince: new Date(NOON).toISOString(), ...changes });
  const after = (reads: Partial<VerificationReads>, at: Task = verifying(), changes = {}) =>
    afterVerify(at, { ...GONE, ...reads, userId: USER }, contextAt(changes));

  it('is erased only when user and sessions are gone', () => {
    expect(after({})).toMatchObject({
      to: 'erased',
      patch: {
        verification: { user: 'absent', sessions: 'absent', live: 'unavailable', liveOffered: false },
      },
      next: null,
    });
  });

  it.each<Partial<VerificationReads>>([
    { user: fails({ kind: 'server_error', status: 500 }) },
    { sessions: fails({ kind: 'no_answer', reason: 'timeout' }) },
    { sessions: fails({ kind: 'not_found' }) },
    { live: fails({ kind: 'server_error', status: 502 }) },
    { user: user('alice2') },
  ])('decides nothing from what it could not read: %j', (reads) => {
    const step = after(reads);
    expect(step.to).toBeUndefined();
    expect(step.next).toMatchObject({ kind: 'verify', attempts: 1 });
  });

  it('erases again what grows fewer, and starts from the number seen', () => {
    const step = after({ sessions: page(4), user: user(USER) });
    expect(step).toMatchObject({ to: 'pending', next: { kind: 'submit', at: NOON } });
    const next = intendSubmission({ ...verifying(), ...step.patch, state: 'pending' }, contextAt());
    expect(next.patch.rounds?.at(-1)).toMatchObject({ number: 2, sessionsBefore: 4 });
  });

  it('gives what does not grow fewer some time, then hands it to a person', () => {
    expect(after({ sessions: page(10) })).toMatchObject({ next: { kind: 'verify', reason: 'settling' } });
    const late = { now: NOON + PACE.verification.settleMs };
    expect(after({ sessions: page(10) }, verifying(), late)).toMatchObject({
      to: 'residue',
      patch: { attention: 'residue_sessions', verification: { sessionsFound: 10 } },
      next: null,
    });
    expect(after({ user: user(USER) }, verifying(), late)).toMatchObject({
      patch: { attention: 'residue_user' },
    });
  });

  it('sees a live session of the subject, and not those of others', () => {
    const live = (userId: string): Outcome<Page<RemoteSession>> => ({
      ok: true,
      value: {
        items: [{ sessionId: '1', userId, startTs: undefined, endTs: undefined, eventsCount: undefined }],
        total: 1,
      },
    });
    expect(after({ live: live('bob') }).to).toBe('erased');
    expect(
      after({ live: live(USER) }, verifying(), { now: NOON + PACE.verification.settleMs }),
    ).toMatchObject({
      patch: { attention: 'residue_live' },
    });
  });

  it('stops after the configured number of rounds', () => {
    const rounds = Array.from({ length: PACE.rounds.max }, (_, index) => round({ number: index + 1 }));
    expect(after({ sessions: page(1) }, verifying({ rounds }))).toMatchObject({
      patch: { attention: 'too_many_rounds' },
    });
  });

  it('asks nothing more of OpenReplay once somebody cancelled', () => {
    expect(after({ sessions: page(4) }, verifying(), { cancelRequested: true })).toMatchObject({
      to: 'cancelled',
    });
  });
});

describe('cancelling', () => {
  it('records what OpenReplay did, not what it was asked', () => {
    const result = { kind: 'job', job: job({ status: 'cancelled' }), asked: true } as const;
    const patch = { rounds: [{ reported: 'cancelled' }] };
    const cancelled = afterCancel(task(), result, contextAt({ cancelRequested: true }));
    expect(cancelled).toMatchObject({ to: 'cancelled', patch, next: null });
    const held = afterCancel(task(), result, contextAt({ onHold: true }));
    expect(held).toMatchObject({ to: 'pending', patch, next: null });
    const released = afterCancel(task(), result, contextAt());
    expect(released).toMatchObject({ to: 'pending', patch, next: { kind: 'submit', at: NOON } });
    const completed = afterCancel(
      task(),
      { kind: 'job', job: job({ status: 'completed' }), asked: true },
      contextAt(),
    );
    expect(completed).toMatchObject({ to: 'verifying', next: { kind: 'verify' } });
    const standing = afterCancel(task(), { kind: 'job', job: job(), asked: true }, contextAt());
    expect(standing).toMatchObject({ next: { kind: 'cancel', attempts: 1 } });
  });
});

describe('a failed job that had deleted rows', () => {
  it.each([
    [10, 4, true],
    [10, 10, false],
    [null, 4, true],
    [10, null, true],
  ])('before %s, then %s: storage to be checked is %s', (before, then, expected) => {
    const rounds = [
      round({ reported: 'failed', sessionsBefore: before }),
      round({ number: 2, sessionsBefore: then }),
    ];
    expect(needsStorageCheck(rounds)).toBe(expected);
  });
});

describe('where the tasks take their request', () => {
  const erased = task({ state: 'erased' });

  it('completes only when every task is erased', () => {
    expect(rollUp(request(), [erased, erased])?.to).toBe('completed');
    expect(rollUp(request(), [erased, task()])).toBeUndefined();
    expect(rollUp(request(), [erased, task({ state: 'cancelled' })])?.to).toBe('cancelled');
    expect(rollUp(request(), [])).toBeUndefined();
  });

  it('goes to a person as soon as one task needs one', () => {
    const stuck = task({ state: 'residue', attention: 'residue_sessions' });
    expect(rollUp(request(), [stuck, task()])?.to).toBe('needs_attention');
    expect(rollUp(request({ state: 'needs_attention' }), [stuck, erased])).toBeUndefined();
  });
});
