import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fileName, gapsOf, nothingGathered, type Progress } from '../../src/domain/access-package.ts';
import { afterRead, nextRead, type ReadAnswer } from '../../src/domain/gather-step.ts';
import type { CallFailure, WholeSession } from '../../src/domain/openreplay.ts';
import { NOON } from '../support/tasks.ts';

const START = nothingGathered(NOON);

function go(progress: Progress, answer: ReadAnswer, attempts = 1) {
  const result = afterRead(progress, answer, attempts);
  if ('failure' in result) throw new Error(result.failure.kind);
  return result;
}

const session = (sessionId: string, ofSomebodyElse = false): WholeSession => ({
  sessionId,
  ofSomebodyElse,
  record: { sessionId },
});
const sessions = (items: readonly WholeSession[], total?: number): ReadAnswer => ({
  kind: 'sessions',
  read: { ok: true, value: { items, total } },
});
const known = go(START, { kind: 'user', read: { ok: true, value: { userId: 'u' } } }).progress;

/** Reads everything from a server that has so many events of each session, in pages of `limit`, with totals or not. */
function readAll(counts: readonly number[], { limit, totals }: { limit: number; totals: boolean }) {
  const events = new Map(
    counts.map((count, n) => [`s${n}`, Array.from({ length: count }, (_, e) => ({ n, e }))]),
  );
  const all = [...events.keys()];
  const page = <T>(items: readonly T[], number: number) => ({
    items: items.slice((number - 1) * limit, number * limit),
    // Past the end real servers say 0.
    total: totals ? ((number - 1) * limit < items.length ? items.length : 0) : undefined,
  });
  const lines: { file: string; value: unknown }[] = [];
  let progress = START;
  for (let calls = 0; calls < 10_000; calls += 1) {
    const next = nextRead(progress);
    if (next === undefined) return { progress, lines };
    const answer: ReadAnswer =
      next.kind === 'user'
        ? { kind: 'user', read: { ok: true, value: {} } }
        : next.kind === 'sessions'
          ? sessions(
              page(all, next.page).items.map((id) => session(id)),
              page(all, next.page).total,
            )
          : {
              kind: 'events',
              sessionId: next.sessionId,
              read: { ok: true, value: page(events.get(next.sessionId) ?? [], next.page) },
            };
    const result = go(progress, answer);
    lines.push(...result.lines);
    ({ progress } = result);
  }
  throw new Error('it never ends');
}

describe('a gathering', () => {
  it('reads every session and every event once, whatever the pages', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(12), { maxLength: 15 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (counts, limit, totals) => {
          const { progress, lines } = readAll(counts, { limit, totals });
          const of = (file: string) => lines.filter((line) => line.file === file).map(({ value }) => value);
          expect(of('sessions')).toEqual(counts.map((_, n) => ({ sessionId: `s${n}` })));
          expect(of('events')).toEqual(
            counts.flatMap((count, n) =>
              Array.from({ length: count }, (_, e) => ({ sessionId: `s${n}`, event: { n, e } })),
            ),
          );
          expect(progress).toMatchObject({ at: 'done', sessions: counts.length, gaps: [] });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says when fewer sessions came than the server had counted', () => {
    const { progress, lines } = go({ ...known, page: 2, said: 5, listed: 3 }, sessions([]));
    expect(progress).toMatchObject({ at: 'done' });
    expect(gapsOf(progress)).toBe(1);
    expect(lines).toEqual([{ file: 'gaps', value: { what: 'sessions', reason: 'fewer_than_said' } }]);
  });

  it('leaves out what the server lists under another user', () => {
    const { progress, lines } = go(known, sessions([session('own'), session('other', true)], 2));
    expect(progress.pending).toEqual(['own']);
    expect(lines.map(({ file }) => file)).toEqual(['sessions', 'gaps']);
    expect(JSON.stringify(lines)).not.toContain('"other"');
  });

  it.each<[CallFailure, number, boolean]>([
    [{ kind: 'not_found' }, 1, true],
    [{ kind: 'rejected', status: 400 }, 1, true],
    [{ kind: 'unsendable', field: 'sessionId' }, 1, true],
    [{ kind: 'server_error', status: 500 }, 7, false],
    [{ kind: 'server_error', status: 500 }, 8, true],
    [{ kind: 'unreadable', status: 200 }, 8, true],
    [{ kind: 'unauthorized' }, 100, false],
    [{ kind: 'unreachable' }, 100, false],
    [{ kind: 'no_answer', reason: 'timeout' }, 100, false],
    [{ kind: 'rate_limited', retryAfterMs: undefined }, 100, false],
  ])('of one session, after %j for the %ith time, is given up: %s', (failure, attempts, given) => {
    const at: Progress = { ...known, at: 'events', pending: ['s1', 's2'], lastPageRead: true };
    const answer: ReadAnswer = { kind: 'events', sessionId: 's1', read: { ok: false, failure } };
    const result = afterRead(at, answer, attempts);
    expect('failure' in result).toBe(!given);
    if (!('failure' in result)) {
      expect(result.progress.pending).toEqual(['s2']);
      expect(result.lines).toEqual([
        { file: 'gaps', value: { what: 'events', reason: failure.kind, sessionId: 's1' } },
      ]);
    }
  });

  it('never gives the list of sessions up for an error of the server', () => {
    const read = { ok: false, failure: { kind: 'server_error', status: 500 } } as const;
    expect(afterRead(known, { kind: 'sessions', read }, 1_000)).toEqual(read);
  });
});

it('names files itself', () => {
  expect([fileName(0, 'user'), fileName(11, 'events')]).toEqual(['001/user.json', '012/events.ndjson']);
});
