import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
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
    { kind: 'unreadable', status: 200 },
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
    expect(next('2026-03-05T11:58:00.000Z')).toBe(20_000);
    expect(next('2026-03-05T11:52:00.000Z')).toBe(80_000);
    expect(next('2026-03-04T00:00:00.000Z')).toBe(640_000);
  });

  it('looks at jobs of one night together: the longer the wait, the further apart the moments, and never too late', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10_000, max: 90_000_000 }), fc.nat(86_400_000), (waitMs, agoMs) => {
        const [since, startAt] = [NOON - agoMs, NOON - agoMs + waitMs];
        const waiting = task({
          rounds: [
            round({ submittedAt: new Date(since).toISOString(), startAt: new Date(startAt).toISOString() }),
          ],
        });
        const at = afterPoll(waiting, { kind: 'job', job: job() }, contextAt()).next?.at ?? 0;
        const from = Math.max(startAt, NOON);
        const most = Math.max(10_000, Math.min(900_000, (from - since) * 0.25));
        expect(at).toBeGreaterThanOrEqual(from);
        // A look again comes no sooner than the shortest interval, and waits for the moment of the others.
        expect(at).toBeLessThanOrEqual(from + (startAt > NOON ? most : Math.max(20_000, most)));
        expect(at % 10_000).toBe(0);
      }),
    );
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

describe('a job that is late', () => {
  const HOUR_MS = 3_600_000;
  const startAt = new Date(NOON).toISOString();
  const poll = (hours: number, changes: Partial<Task> = {}, status: RemoteJob['status'] = 'scheduled') =>
    afterPoll(
      task({ rounds: [round({ startAt })], ...changes }),
      { kind: 'job', job: job({ status }) },
      contextAt({ now: NOON + hours * HOUR_MS }),
    );

  it('is waited for through a night that was missed', () => {
    expect(poll(25.9)).toMatchObject({ events: [], next: { kind: 'poll', reason: 'job_scheduled' } });
  });

  it('is noted once, 26 hours past its start', () => {
    const late = poll(26);
    expect(late.events).toMatchObject([{ type: 'task.job_overdue', data: { late_minutes: 1_560 } }]);
    expect(late.next).toMatchObject({ kind: 'poll' });
    expect(poll(27, { rounds: late.patch.rounds ?? [] }).events).toEqual([]);
  });

  it('is called back after 50 hours, whatever it is said to do', () => {
    for (const status of ['scheduled', 'running', 'unknown'] as const) {
      const stalled = poll(50, {}, status);
      expect(stalled.next).toMatchObject({ kind: 'cancel', reason: 'job_stalled', at: NOON + 50 * HOUR_MS });
      expect(stalled.events.at(-1)).toMatchObject({ type: 'task.job_stalled' });
    }
  });

  it('is expected a day after it was asked for where the server names no start', () => {
    const rounds = [round({ submittedAt: startAt })];
    expect(poll(24 + 25.9, { rounds }).events).toEqual([]);
    expect(poll(24 + 26, { rounds }).events).toMatchObject([{ type: 'task.job_overdue' }]);
  });

  it('is asked for anew once, and then a person looks at the server', () => {
    const { patch } = poll(50);
    const cancelled = { kind: 'job', job: job({ status: 'cancelled' }), asked: true } as const;
    const again = afterCancel(task({ rounds: patch.rounds ?? [] }), cancelled, contextAt());
    expect(again).toMatchObject({ to: 'pending', next: { kind: 'submit' } });
    expect(again.events.at(-1)).toMatchObject({
      type: 'task.round_needed',
      data: { because: 'job_stalled' },
    });
    const second = [...(again.patch.rounds ?? []), round({ number: 2, stalledAt: startAt })];
    expect(afterCancel(task({ rounds: second }), cancelled, contextAt())).toMatchObject({
      to: 'failed',
      patch: { attention: 'jobs_keep_stalling' },
    });
  });

  it('that ran in the last moment is verified like any other', () => {
    const { patch } = poll(50);
    const ran = { kind: 'job', job: job({ status: 'completed' }), asked: true } as const;
    expect(afterCancel(task({ rounds: patch.rounds ?? [] }), ran, contextAt())).toMatchObject({
      to: 'verifying',
    });
  });
});

describe('a step that keeps failing', () => {
  const DAY_MS = 86_400_000;
  const failure: CallFailure = { kind: 'server_error', status: 500 };
  const at = (days: number, changes: Partial<Parameters<typeof contextAt>[0]> = {}) =>
    contextAt({ now: NOON + days * DAY_MS, failingSince: NOON, dueAt: NOON + 20 * DAY_MS, ...changes });
  const poll = (context: ReturnType<typeof at>, kind: CallFailure = failure) =>
    afterPoll(task(), { kind: 'failure', failure: kind }, context);

  it('is tried until three days before the request is due, however often, and then a person is asked', () => {
    expect(poll(at(16.9, { attempts: 500 })).next).toMatchObject({ attempts: 501, failingSince: NOON });
    expect(poll(at(17))).toMatchObject({
      to: 'failed',
      patch: { attention: 'openreplay_keeps_failing' },
      next: null,
    });
  });

  it('is tried for a day at least, also when the request is late already', () => {
    expect(poll(at(0.9, { dueAt: NOON - DAY_MS })).next).toMatchObject({ kind: 'poll' });
    expect(poll(at(1, { dueAt: NOON - DAY_MS }))).toMatchObject({ to: 'failed' });
  });

  it('is tried for 30 days where no law sets a deadline', () => {
    expect(poll(at(29.9, { dueAt: null })).next).toMatchObject({ kind: 'poll' });
    expect(poll(at(30, { dueAt: null }))).toMatchObject({ to: 'failed' });
  });

  it('begins to count with its first failure', () => {
    expect(poll(at(19, { failingSince: null })).next).toMatchObject({ failingSince: NOON + 19 * DAY_MS });
  });

  it('is never given up while it calls a deletion back', () => {
    expect(afterCancel(task(), { kind: 'failure', failure }, at(25)).next).toMatchObject({ kind: 'cancel' });
  });

  it('has made no attempt when the call was withheld, and says nothing in the trail', () => {
    const untilMs = NOON + 5_000;
    const step = poll(at(25, { attempts: 3 }), { kind: 'withheld', reason: 'connection_paused', untilMs });
    expect(step).toEqual({
      patch: {},
      events: [],
      next: { kind: 'poll', at: untilMs, reason: 'connection_paused', attempts: 3, failingSince: NOON },
    });
  });

  it('has burned no attempt when the server asked for fewer calls, or refused the key', () => {
    for (const kind of [{ kind: 'unauthorized' }, { kind: 'rate_limited', retryAfterMs: 9_000 }] as const) {
      expect(poll(at(1, { attempts: 3 }), kind).next).toMatchObject({ attempts: 3 });
    }
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
