import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hashLeaf, type Hash } from '../../src/evidence/merkle-hash.ts';
import { consistencyPath, inclusionPath } from '../../src/evidence/merkle-tree.ts';
import { verifyConsistency, verifyInclusion } from '../../src/evidence/merkle-verify.ts';
import { edgeTiles, GrowingTree, Tiles, type Tile } from '../../src/evidence/tiles.ts';
import { naivePath, naiveProof, naiveRoot } from '../support/naive-tree.ts';

const MOST = 300;
const hashes = Array.from({ length: MOST }, (_, n) => hashLeaf(Buffer.from(`leaf ${n}`)));

/** As the service builds it: grown in batches, each from the tiles that the last one left. */
function grow(sizes: readonly number[]): { tiles: Map<string, Tile>; roots: Map<number, Hash> } {
  const tiles = new Map<string, Tile>();
  const roots = new Map<number, Hash>();
  let size = 0;
  for (const next of sizes) {
    const edge = edgeTiles(size).flatMap(({ level, index }) => tiles.get(`${level}/${index}`) ?? []);
    const tree = new GrowingTree(size, edge);
    for (const hash of hashes.slice(size, next)) tree.append(hash);
    for (const tile of tree.takeChanged()) tiles.set(`${tile.level}/${tile.index}`, tile);
    roots.set(next, tree.root());
    size = next;
  }
  return { tiles, roots };
}

const { tiles, roots } = grow(Array.from({ length: MOST }, (_, n) => n + 1));
const known = new Tiles([...tiles.values()]);
const hex = (all: readonly Hash[]): string[] => all.map((hash) => Buffer.from(hash).toString('hex'));
const rootOf = (size: number): Hash => roots.get(size) ?? Buffer.alloc(0);

describe('for every size up to 300', () => {
  it('the root is that of a naive tree', () => {
    for (let size = 1; size <= MOST; size += 1)
      expect(hex([rootOf(size)])).toEqual(hex([naiveRoot(hashes.slice(0, size))]));
  });

  it('every leaf has a proof of its inclusion, which holds there and not for another leaf', () => {
    for (let size = 1; size <= MOST; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionPath(index, size).map((part) => known.hashOf(part));
        const leafHash = hashes[index] ?? Buffer.alloc(0);
        const claim = { index, size, leafHash, proof, root: rootOf(size) };
        if (!verifyInclusion(claim)) throw new Error(`leaf ${index} of ${size} is not shown to be there`);
        const other = { ...claim, index: (index + 1) % size };
        if (size > 1 && verifyInclusion(other))
          throw new Error(`leaf ${index} of ${size} is shown elsewhere`);
      }
    }
  });

  it('every smaller size has a proof of consistency, which holds for its root and for no other', () => {
    for (let size2 = 1; size2 <= MOST; size2 += 1) {
      for (let size1 = 1; size1 <= size2; size1 += 1) {
        const proof = consistencyPath(size1, size2).map((part) => known.hashOf(part));
        const claim = { size1, size2, root1: rootOf(size1), root2: rootOf(size2), proof };
        if (!verifyConsistency(claim)) throw new Error(`${size1} in ${size2} is not shown`);
        const forged = { ...claim, root1: rootOf((size1 % MOST) + 1) };
        if (verifyConsistency(forged))
          throw new Error(`another beginning than ${size1} in ${size2} is shown`);
      }
    }
  });
});

describe('at random', () => {
  it('proofs are those of a naive tree', () => {
    const place = fc
      .integer({ min: 1, max: MOST })
      .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));
    fc.assert(
      fc.property(place, ([size, index]) => {
        const leaves = hashes.slice(0, size);
        const inclusion = inclusionPath(index, size).map((part) => known.hashOf(part));
        expect(hex(inclusion)).toEqual(hex(naivePath(index, leaves)));
        const consistency = consistencyPath(index + 1, size).map((part) => known.hashOf(part));
        expect(hex(consistency)).toEqual(hex(naiveProof(index + 1, leaves)));
      }),
    );
  });

  it('a tree grown in batches has the tiles of one grown leaf by leaf', () => {
    const sizes = fc
      .uniqueArray(fc.integer({ min: 1, max: MOST - 1 }))
      .map((some) => [...some.toSorted((a, b) => a - b), MOST]);
    fc.assert(
      fc.property(sizes, (batches) => {
        const grown = grow(batches);
        expect(hex([...grown.tiles.values()].map(({ hashes: all }) => all)).toSorted()).toEqual(
          hex([...tiles.values()].map(({ hashes: all }) => all)).toSorted(),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('one bit changed anywhere in a proof, and it shows nothing', () => {
    const place = fc
      .integer({ min: 2, max: MOST })
      .chain((size) =>
        fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 }), fc.nat(), fc.nat(255)),
      );
    fc.assert(
      fc.property(place, ([size, index, at, bit]) => {
        const proof = inclusionPath(index, size).map((part) => Buffer.from(known.hashOf(part)));
        const changed = proof[at % proof.length];
        if (changed === undefined) throw new Error('a proof without hashes');
        const byte = Math.floor(bit / 8);
        changed.writeUInt8(changed.readUInt8(byte) ^ (1 << (bit % 8)), byte);
        const leafHash = hashes[index] ?? Buffer.alloc(0);
        expect(verifyInclusion({ index, size, leafHash, proof, root: rootOf(size) })).toBe(false);
      }),
    );
  });
});
