import { describe, expect, it } from '@jest/globals';
import { remembered } from '../../src/app/remember.ts';

describe('what is remembered', () => {
  const world = () => {
    const state = { at: 0, calls: 0, fails: false };
    const get = remembered(
      1_000,
      () => {
        state.calls += 1;
        return state.fails ? Promise.reject(new Error('away')) : Promise.resolve(state.calls);
      },
      () => new Date(state.at),
    );
    return { state, get };
  };

  it('is asked for once, also by many at the same time, and anew when it is too old', async () => {
    const { state, get } = world();
    expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
    state.at = 999;
    expect(await get()).toBe(1);
    state.at = 1_000;
    expect(await get()).toBe(2);
  });

  it('is never a failure', async () => {
    const { state, get } = world();
    state.fails = true;
    await expect(get()).rejects.toThrow('away');
    state.fails = false;
    expect(await get()).toBe(2);
  });
});
