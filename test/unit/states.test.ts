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

  it('let a request complete only from where its tasks can have been erased', () => {
    expect(requestStatesBefore('completed')).toEqual(['discovering', 'erasing', 'needs_attention']);
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
});
