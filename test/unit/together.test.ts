import { describe, expect, it } from '@jest/globals';
import { together } from '../../src/store/together.ts';

/** A write that ends when the test says so. */
function writer() {
  const writes: { readonly items: readonly string[]; readonly end: (error?: Error) => void }[] = [];
  const write = (items: readonly string[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      writes.push({
        items,
        end: (error) => {
          if (error === undefined) resolve(items.map((item) => item.toUpperCase()));
          else reject(error);
        },
      });
    });
  return { writes, write };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));
const options = {
  ...{ most: 3, mostSize: 8, writes: 1 },
  sizeOf: (item: string) => item.length,
  namesOf: (item: string) => [item],
};

describe('what comes at the same time', () => {
  it('goes at once where nothing is written, and together with what came meanwhile afterwards', async () => {
    const { writes, write } = writer();
    const keeper = together(write, options);
    const results = ['a', 'b', 'c', 'd', 'e'].map((item) => keeper.add(item));
    expect(writes.map(({ items }) => items)).toEqual([['a']]);
    writes[0]?.end();
    await turns();
    expect(writes.map(({ items }) => items)).toEqual([['a'], ['b', 'c', 'd']]);
    writes[1]?.end();
    await turns();
    writes[2]?.end();
    await expect(Promise.all(results)).resolves.toEqual(['A', 'B', 'C', 'D', 'E']);
    expect(writes).toHaveLength(3);
  });

  it('stays apart where it has the same name, in its order', async () => {
    const { writes, write } = writer();
    const keeper = together(write, options);
    const results = ['x', 'a', 'a', 'b', 'a'].map((item) => keeper.add(item));
    for (let number = 0; number < 4; number += 1) {
      writes[number]?.end();
      await turns();
    }
    expect(writes.map(({ items }) => items)).toEqual([['x'], ['a', 'b'], ['a'], ['a']]);
    await expect(Promise.all(results)).resolves.toHaveLength(5);
  });

  it('goes apart where it is too much for one write, and alone where it is too much by itself', async () => {
    const { writes, write } = writer();
    const keeper = together(write, options);
    const results = ['x', 'aaaaa', 'bbbb', 'ccc', 'd'.repeat(20), 'e'].map((item) => keeper.add(item));
    for (let number = 0; number < 4; number += 1) {
      writes[number]?.end();
      await turns();
    }
    expect(writes.map(({ items }) => items)).toEqual([
      ['x'],
      ['aaaaa', 'ccc'],
      ['bbbb', 'e'],
      ['d'.repeat(20)],
    ]);
    await expect(Promise.all(results)).resolves.toHaveLength(6);
  });

  it('fails together, and what comes after does not', async () => {
    const { writes, write } = writer();
    const keeper = together(write, { ...options, writes: 2 });
    const failing = keeper.add('a');
    const other = keeper.add('b');
    const later = keeper.add('c');
    expect(writes).toHaveLength(2);
    writes[0]?.end(new Error('away'));
    await expect(failing).rejects.toThrow('away');
    await turns();
    writes[1]?.end();
    writes[2]?.end();
    await expect(Promise.all([other, later])).resolves.toEqual(['B', 'C']);
  });

  it('gets an error where a write gives too little', async () => {
    const keeper = together<string, string>(() => Promise.resolve([]), options);
    await expect(keeper.add('a')).rejects.toThrow('too few');
  });
});
