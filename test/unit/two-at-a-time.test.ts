import { expect, it } from '@jest/globals';
import { twoAtATime } from '../../src/app/two-at-a-time.ts';

async function* count(to: number, then?: Error): AsyncGenerator<number> {
  for (let n = 1; n <= to; n += 1) yield Promise.resolve(n);
  if (then !== undefined) throw then;
}

/** Work that ends when it is told to; says what began, what ended and how much was under way at most. */
function workshop() {
  const said: string[] = [];
  let underWay = 0;
  let most = 0;
  const ends = new Map<number, (error?: Error) => void>();
  const work = (n: number) => {
    said.push(`begin ${n}`);
    underWay += 1;
    most = Math.max(most, underWay);
    return new Promise<void>((resolve, reject) => {
      ends.set(n, (error) => {
        said.push(`end ${n}`);
        underWay -= 1;
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  };
  /** All that can be done without `ends` is done. */
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { said, work, ends, settle, most: () => most };
}

it('begins the next while one is under way, and no third', async () => {
  const { said, work, ends, settle, most } = workshop();
  const all = twoAtATime(count(4), work);
  for (const n of [1, 2, 3, 4]) {
    await settle();
    ends.get(n)?.();
  }
  await all;
  expect(said).toEqual(['begin 1', 'begin 2', 'end 1', 'begin 3', 'end 2', 'begin 4', 'end 3', 'end 4']);
  expect(most()).toBe(2);
});

it('throws the first failure, but not before the other has ended, and begins no more', async () => {
  const { said, work, ends, settle } = workshop();
  let failed: unknown;
  const all = twoAtATime(count(4), work).catch((error: unknown) => (failed = error));
  await settle();
  ends.get(1)?.(new Error('first'));
  await settle();
  expect(failed).toBeUndefined();
  ends.get(2)?.(new Error('second'));
  await all;
  expect(failed).toEqual(new Error('first'));
  expect(said).toEqual(['begin 1', 'begin 2', 'end 1', 'end 2']);
});

it('waits for what is under way where the items stop', async () => {
  const { said, work, ends, settle } = workshop();
  const all = twoAtATime(count(1, new Error('no more')), work).catch((error: unknown) =>
    said.push(String(error)),
  );
  await settle();
  ends.get(1)?.();
  await all;
  expect(said).toEqual(['begin 1', 'end 1', 'Error: no more']);
});

it('does nothing for nothing', async () => {
  await expect(twoAtATime(count(0), () => Promise.reject(new Error('never')))).resolves.toBeUndefined();
});
