import { describe, expect, it } from '@jest/globals';
import { forecastOf, forecastView } from '../../src/app/forecast-of.ts';
import type { Connection, Waiting } from '../../src/app/ports.ts';
import type { ForecastView } from '../../src/app/request-schema.ts';
import { waitingOf } from '../../src/app/request-view.ts';
import type { ErasureRequest } from '../../src/domain/request.ts';
import type { ObservedRound } from '../../src/domain/round-habit.ts';
import type { Task } from '../../src/domain/task.ts';
import { createOpenReplayClient } from '../../src/openreplay/client.ts';
import { request } from '../support/requests.ts';
import { NOON, PACE, round, task } from '../support/tasks.ts';

const HOUR = 3_600_000;

/** Rounds of a server that takes so many minutes from being asked. */
function took(minutes: number): readonly ObservedRound[] {
  const ended = new Date(Date.parse('2026-03-01T10:00:00Z') + minutes * 60_000).toISOString();
  return Array.from({ length: 5 }, () => {
    return { submittedAt: '2026-03-01T10:00:00.000Z', startAt: null, endedAt: ended };
  });
}
const OBSERVED = new Map([
  ['default', took(10)],
  ['slow', took(120)],
]);

const options = { apiKey: 'x', connectTimeoutMs: 1, responseTimeoutMs: 1, maxBodyBytes: 1, maxSockets: 1 };
const api = createOpenReplayClient({ ...options, baseUrl: 'http://127.0.0.1:1' });
const connections = new Map(
  ['default', 'slow'].map((name): [string, Connection] => [
    name,
    { name, projects: null, countSessionsBefore: true, api, records: api.records },
  ]),
);

function work(changes: Partial<Waiting> = {}): Waiting {
  return {
    requestId: 'er_1',
    taskId: 'tk_1',
    kind: 'submit',
    reason: 'queued',
    attempts: 0,
    runAt: new Date(NOON),
    held: false,
    ...changes,
  };
}

interface Stands {
  readonly request?: Partial<ErasureRequest>;
  readonly tasks?: readonly Partial<Task>[];
  readonly waiting?: readonly Partial<Waiting>[];
}

function foreseen(stands: Stands): ForecastView | null {
  const from = {
    request: request(stands.request),
    tasks: (stands.tasks ?? []).map(task),
    waiting: (stands.waiting ?? []).map(work),
    accessPackage: null,
    related: [],
    ticket: null,
    replies: null,
  };
  const deps = { pace: PACE, connections, now: () => new Date(NOON) };
  return forecastView(forecastOf(deps, { from, waiting: waitingOf(from), observed: OBSERVED }));
}

/** Minutes after noon, without the minute of the second look that verification may need. */
function minutes(stands: Stands): number {
  const found = foreseen(stands);
  return (Date.parse(found?.expectedAt ?? '') - NOON) / 60_000 - 1;
}

describe('the forecast of a request', () => {
  it('before discovery is that of a round in the slowest of its connections', () => {
    const discovering = { state: 'discovering', connection: null } as const;
    expect(minutes({ request: discovering })).toBe(120);
    expect(minutes({ request: { ...discovering, connection: 'default' } })).toBe(10);
    expect(foreseen({ request: discovering })?.confidence).toBe('assumed');
  });

  it('begins when its cooling-off time is over', () => {
    const waiting = [{ taskId: null, kind: 'discover' as const, runAt: new Date(NOON + HOUR) }];
    expect(minutes({ request: { state: 'cooling_off' }, waiting })).toBe(70);
    // The time of work in a worker's hands is only the end of its lease.
    expect(minutes({ request: { state: 'discovering' }, waiting: [{ ...waiting[0], held: true }] })).toBe(10);
  });

  it('is that of its last task, and of as many rounds as its sessions need', () => {
    const pending = { state: 'pending', rounds: [] } as const;
    expect(minutes({ tasks: [pending] })).toBe(10);
    expect(minutes({ tasks: [pending, { ...pending, id: 'tk_2', connection: 'slow' }] })).toBe(120);
    expect(minutes({ tasks: [{ state: 'erased' }, pending] })).toBe(10);
    const counted = { ...pending, rounds: [round({ sessionsBefore: 2_500 })] };
    expect(minutes({ tasks: [counted] })).toBe(30);
  });

  it('counts a running round from when it was asked for', () => {
    const submittedAt = new Date(NOON - 4 * 60_000).toISOString();
    const running = (sessionsBefore: number) => ({
      state: 'submitted' as const,
      rounds: [round({ submittedAt, sessionsBefore })],
    });
    expect(minutes({ tasks: [running(5)] })).toBe(6);
    expect(minutes({ tasks: [running(1_001)] })).toBe(16);
  });

  it('counts what verification has seen, else as many fewer as a round takes away', () => {
    const verifyingSince = new Date(NOON).toISOString();
    const verifying = {
      state: 'verifying',
      verifyingSince,
      rounds: [round({ sessionsBefore: 2_500 })],
    } as const;
    const waiting = [{ kind: 'verify' as const, runAt: new Date(NOON + 60_000) }];
    expect(minutes({ tasks: [verifying], waiting })).toBe(21);
    const verification = {
      user: 'residue',
      sessions: 'absent',
      sessionsFound: 0,
      live: 'absent',
      liveOffered: true,
      verifiedAt: verifyingSince,
    } as const;
    expect(minutes({ tasks: [{ ...verifying, verification }], waiting })).toBe(1);
    // Seen before this round.
    const earlier = { ...verification, verifiedAt: new Date(NOON - 1).toISOString() };
    expect(minutes({ tasks: [{ ...verifying, verification: earlier }], waiting })).toBe(21);
  });

  it.each([
    ['a person has to say who asks', { state: 'awaiting_identity' }, /Somebody has to establish/],
    ['a person has to approve', { state: 'awaiting_approval' }, /has to approve/],
    ['a person has to act', { state: 'needs_attention', attention: 'no_projects' }, /has no project/],
    ['a hold stands', { state: 'on_hold', heldFrom: 'erasing', heldBy: 'person' }, /on hold/],
  ] as const)('is open while %s', (_what, changes, words) => {
    const found = foreseen({ request: changes, tasks: [{ state: 'pending' }] });
    expect(found).toMatchObject({ expectedAt: null, confidence: null, words: expect.stringMatching(words) });
  });

  it('is none once nothing more is to be erased', () => {
    expect(foreseen({ request: { state: 'completed' } })).toBeNull();
    const cancelling = { cancelRequestedAt: new Date(NOON) };
    expect(foreseen({ request: cancelling, tasks: [{ state: 'submitted' }] })).toBeNull();
  });
});
