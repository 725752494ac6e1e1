import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { hashLeaf, type Hash } from '../../src/evidence/merkle-hash.ts';
import { verifyConsistency, verifyInclusion } from '../../src/evidence/merkle-verify.ts';
import { GrowingTree } from '../../src/evidence/tiles.ts';

const hash = z.string().transform((text) => Buffer.from(text, 'base64'));
const proof = z
  .array(hash)
  .nullable()
  .transform((hashes) => hashes ?? []);
const common = { name: z.string(), proof, wantErr: z.boolean() };
const inclusion = z.array(
  z.object({ ...common, leafIdx: z.number(), treeSize: z.number(), root: hash, leafHash: hash }),
);
const consistency = z.array(
  z.object({ ...common, size1: z.number(), size2: z.number(), root1: hash, root2: hash }),
);

/** From transparency-dev/merkle (Apache-2.0): hashes in base64, `wantErr` for what must be refused. */
async function vectors<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const url = new URL(`../vectors/${file}`, import.meta.url);
  return schema.parse(JSON.parse(await readFile(url, 'utf8')));
}

const inclusions = await vectors('rfc6962-inclusion.json', inclusion);
const consistencies = await vectors('rfc6962-consistency.json', consistency);

describe('vectors that others made', () => {
  it('are all there', () => {
    expect([inclusions.length, consistencies.length]).toEqual([53, 43]);
    expect(new Set(inclusions.map(({ wantErr }) => wantErr)).size).toBe(2);
    expect(new Set(consistencies.map(({ wantErr }) => wantErr)).size).toBe(2);
  });

  it.each(inclusions)('$name', ({ leafIdx: index, treeSize: size, wantErr, ...claim }) => {
    expect(verifyInclusion({ ...claim, index, size })).toBe(!wantErr);
  });

  it.each(consistencies)('$name', ({ wantErr, ...claim }) => {
    expect(verifyConsistency(claim)).toBe(!wantErr);
  });
});

describe('a growing tree', () => {
  const leaves = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const rootOf = (count: number): Hash => {
    const tree = new GrowingTree(0, []);
    for (const leaf of leaves.slice(0, count)) tree.append(hashLeaf(Buffer.from(leaf, 'hex')));
    return tree.root();
  };

  it.each([
    [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
    [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
  ])('of %i leaves has the root that is known', (count, root) => {
    expect(Buffer.from(rootOf(count)).toString('hex')).toBe(root);
  });
});
