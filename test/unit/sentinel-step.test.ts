import { describe, expect, it } from '@jest/globals';
import type { CallFailure, Outcome, Page, RemoteSession, RemoteUser } from '../../src/domain/openreplay.ts';
import { afterSentinel, newFrom, type SentinelReads } from '../../src/domain/sentinel-step.ts';
import type { StepContext } from '../../src/domain/task-step.ts';
import type { Task } from '../../src/domain/task.ts';
import { afterVerify } from '../../src/domain/verify-step.ts';
import { contextAt, NOON, PACE, task } from '../support/tasks.ts';

const USER = 'alice';
const DAY_MS = 86_400_000;
const pace = { ...PACE, sentinelAgesMs: [DAY_MS, 7 * DAY_MS, 30 * DAY_MS] };

const fails = (failure: CallFailure): Outcome<never> => ({ ok: false, failure });
const BROKEN = fails({ kind: 'server_error', status: 500 });
const userNamed = (userId: string): Outcome<RemoteUser> => ({
  ok: true,
  value: { userId, email: undefined, country: undefined, sessionsCount: undefined },
});
const user = userNamed(USER);
/** Sessions that began so long after noon; a page says how many there are beyond those it lists. */
function sessions(
  startedMs: readonly (number | undefined)[],
  total = startedMs.length,
): Outcome<Page<RemoteSession>> {
  const items = startedMs.map((ms, index) => ({
    sessionId: String(index),
    userId: undefined,
    startTs: ms === undefined ? undefined : NOON + ms,
    endTs: undefined,
    eventsCount: undefined,
  }));
  return { ok: true, value: { items, total } };
}
const GONE: SentinelReads = {
  userId: USER,
  user: fails({ kind: 'not_found' }),
  sessions: sessions([]),
  live: fails({ kind: 'not_available', status: 404 }),
};

/** Erased at noon. */
function erased(verification: Partial<NonNullable<Task['verification']>> = {}): Task {
  return task({
    state: 'erased',
    verification: {
      ...{ user: 'absent', sessions: 'absent', sessionsFound: 0, live: 'unavailable', liveOffered: false },
      verifiedAt: new Date(NOON).toISOString(),
      ...verification,
    },
  });
}

/** What follows from a look so long after noon. */
const look = (
  afterMs: number,
  reads: Partial<SentinelReads> = {},
  changes: Partial<StepContext> & { of?: Task } = {},
) =>
  afterSentinel(
    changes.of ?? erased(),
    { ...GONE, ...reads },
    contextAt({ now: NOON + afterMs, pace, ...changes }),
  );

describe('a task that is erased', () => {
  const at = task({ state: 'verifying', verifyingSince: new Date(NOON).toISOString() });

  it('is looked at again after the first age', () => {
    expect(afterVerify(at, GONE, contextAt({ pace }))).toMatchObject({
      to: 'erased',
      next: { kind: 'sentinel', at: NOON + DAY_MS, reason: 'sentinel', attempts: 0 },
    });
  });

  it('is not where no ages are configured', () => {
    expect(afterVerify(at, GONE, contextAt())).toMatchObject({ to: 'erased', next: null });
  });
});

describe('a look that finds nobody', () => {
  it.each([
    { what: 'the first', afterMs: DAY_MS, age: DAY_MS, nextAge: 7 * DAY_MS },
    { what: 'a late second', afterMs: 7 * DAY_MS + 5_000, age: 7 * DAY_MS, nextAge: 30 * DAY_MS },
    { what: 'one for two that were missed', afterMs: 29 * DAY_MS, age: 7 * DAY_MS, nextAge: 30 * DAY_MS },
    { what: 'one long after all', afterMs: 300 * DAY_MS, age: 30 * DAY_MS, nextAge: null },
    { what: 'one too early for changed ages', afterMs: 1_000, age: 1_000, nextAge: DAY_MS },
  ])('says so and waits for the next age: $what', ({ afterMs, age, nextAge }) => {
    expect(look(afterMs)).toEqual({
      kind: 'looked',
      events: [
        expect.objectContaining({
          type: 'task.sentinel_absent',
          taskId: 'tk_1',
          data: { age_ms: age, next_age_ms: nextAge },
        }),
      ],
      next:
        nextAge === null ? null : { kind: 'sentinel', at: NOON + nextAge, reason: 'sentinel', attempts: 0 },
    });
  });

  it('does not take a record that was there all along for somebody who is back', () => {
    const of = erased({ user: 'residue' });
    expect(look(DAY_MS, { user }, { of })).toMatchObject({ kind: 'looked' });
  });
});

describe('a look that could not read', () => {
  it.each<[string, Partial<SentinelReads>]>([
    ['the user', { user: BROKEN }],
    ['the sessions', { sessions: BROKEN }],
    ['live sessions', { live: BROKEN }],
    ['how old the sessions are', { sessions: sessions([-DAY_MS]), newer: BROKEN }],
    ['whom it asked for', { user: userNamed('alice2') }],
  ])('%s is taken again, and says so once', (_, reads) => {
    const first = look(DAY_MS, reads);
    expect(first).toMatchObject({
      kind: 'looked',
      events: [{ type: 'task.sentinel_delayed' }],
      next: { kind: 'sentinel', attempts: 1, failingSince: NOON + DAY_MS },
    });
    const later = look(DAY_MS + 60_000, reads, { failingSince: NOON + DAY_MS, attempts: 1 });
    expect(later).toMatchObject({ events: [], next: { attempts: 2, failingSince: NOON + DAY_MS } });
  });

  it('never asks a person, however long it fails', () => {
    const step = look(400 * DAY_MS, { user: BROKEN }, { failingSince: NOON + DAY_MS, dueAt: NOON });
    expect(step).toMatchObject({ next: { kind: 'sentinel', reason: 'server_error' } });
  });

  it('waits for a connection that is shut without a word', () => {
    const untilMs = NOON + 2 * DAY_MS;
    const user = fails({ kind: 'withheld', reason: 'connection_paused', untilMs });
    expect(look(DAY_MS, { user })).toMatchObject({ events: [], next: { kind: 'sentinel', at: untilMs } });
  });
});

describe('somebody who is there again', () => {
  const OLD = sessions([-40 * DAY_MS]);
  const NONE = sessions([]);

  it('with nothing but old sessions was restored', () => {
    expect(look(DAY_MS, { user, sessions: OLD, newer: NONE })).toEqual({
      kind: 'reappeared',
      how: 'restored',
      data: { how: 'restored', user: 'residue', sessions_found: 1, live: 'unavailable', age_ms: DAY_MS },
    });
    expect(look(DAY_MS, { sessions: OLD, newer: NONE })).toMatchObject({ how: 'restored' });
  });

  it.each<[string, Partial<SentinelReads>]>([
    ['no sessions but a record', { user }],
    ['a session from after the erasure', { sessions: sessions([3_600_000]), newer: NONE }],
    ['one that began while it was seen to be gone', { sessions: sessions([0]), newer: NONE }],
    ['one of minutes before, as clocks differ', { sessions: sessions([-60_000]), newer: NONE }],
    ['one of which nobody knows when it began', { sessions: sessions([undefined]), newer: NONE }],
    ['newer ones beside the old', { sessions: OLD, newer: sessions([3_600_000]) }],
    ['newer ones that are only counted', { sessions: OLD, newer: sessions([], 1) }],
    ['nobody having asked for newer ones', { sessions: OLD }],
    ['a live session', { sessions: OLD, newer: NONE, live: sessions([3_600_000]) }],
    ['a live session alone', { live: sessions([3_600_000]) }],
  ])('with %s may have come back', (_, reads) => {
    expect(look(DAY_MS, reads)).toMatchObject({ kind: 'reappeared', how: 'returned' });
  });

  it('is asked for newer sessions from shortly before the erasure on', () => {
    expect(newFrom(erased())).toBe(NOON - 600_000);
  });
});
