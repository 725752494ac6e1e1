import { describe, expect, it } from '@jest/globals';
import {
  isOpenTaskState,
  isTerminalRequestState,
  REQUEST_STATES,
  REQUEST_TRANSITIONS,
  requestStatesBefore,
  STUCK_TASK_STATES,
  TASK_STATES,
  TASK_TRANSITIONS,
  taskStatesBefore,
} from '../../src/domain/states.ts';

type Transitions = Readonly<Record<string, readonly string[]>>;

/** Every state that can follow on `from`, at once or later, and `from` itself. */
function reachable(transitions: Transitions, from: readonly string[]): Set<string> {
  const seen = new Set(from);
  for (const state of seen) for (const next of transitions[state] ?? []) seen.add(next);
  return seen;
}

describe('the state machines', () => {
  it('name every state and lead only to states they name', () => {
    expect([...REQUEST_STATES].sort()).toEqual(Object.keys(REQUEST_TRANSITIONS).sort());
    expect([...TASK_STATES].sort()).toEqual(Object.keys(TASK_TRANSITIONS).sort());
    for (const to of Object.values(REQUEST_TRANSITIONS).flat()) expect(REQUEST_STATES).toContain(to);
    for (const to of Object.values(TASK_TRANSITIONS).flat()) expect(TASK_STATES).toContain(to);
  });

  it('end a request in completed, refused and cancelled only', () => {
    expect(REQUEST_STATES.filter(isTerminalRequestState)).toEqual(['completed', 'refused', 'cancelled']);
  });

  it('reach erased only from verification', () => {
    expect(taskStatesBefore('erased')).toEqual(['verifying']);
  });

  it('reach submitted only through the recorded intent', () => {
    expect(taskStatesBefore('submitted')).toEqual(['submitting']);
  });

  it('let a request complete only from where its tasks can have been gathered or erased', () => {
    expect(requestStatesBefore('completed')).toEqual([
      'discovering',
      'gathering',
      'erasing',
      'needs_attention',
    ]);
  });

  it('know each task state as open, stuck or ended, and only one of them', () => {
    for (const state of TASK_STATES) {
      const kinds = [
        isOpenTaskState(state),
        STUCK_TASK_STATES.some((stuck) => stuck === state),
        TASK_TRANSITIONS[state].length === 0,
      ];
      expect(kinds.filter(Boolean)).toHaveLength(1);
    }
  });

  it.each<[string, Transitions, readonly string[]]>([
    ['request', REQUEST_TRANSITIONS, ['received']],
    // A user id that cannot be sent makes a task that is stuck from the first.
    ['task', TASK_TRANSITIONS, ['pending', 'unroutable']],
  ])('have no state that a %s never reaches, and none that it never leaves', (_name, table, first) => {
    expect([...reachable(table, first)].sort()).toEqual(Object.keys(table).sort());
    const ends = Object.keys(table).filter((state) => table[state]?.length === 0);
    const trapped = Object.keys(table).filter((state) => {
      const later = reachable(table, [state]);
      return !ends.some((end) => later.has(end));
    });
    expect(trapped).toEqual([]);
  });

  it.each<[string, Transitions]>([
    ['request', REQUEST_TRANSITIONS],
    ['task', TASK_TRANSITIONS],
  ])('name no transition of a %s twice, and none from a state to itself', (_name, table) => {
    for (const [from, targets] of Object.entries(table)) {
      expect(targets).toEqual([...new Set(targets)].filter((to) => to !== from));
    }
  });

  it('let every open or stuck task be cancelled, and every open request', () => {
    expect(taskStatesBefore('cancelled')).toEqual(
      TASK_STATES.filter((state) => !isEnd(TASK_TRANSITIONS[state])),
    );
    expect(requestStatesBefore('cancelled')).toEqual(
      REQUEST_STATES.filter((state) => !isTerminalRequestState(state)),
    );
  });
});

function isEnd(targets: readonly string[]): boolean {
  return targets.length === 0;
}
