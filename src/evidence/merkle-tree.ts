import { emptyRoot, hashNode, type Hash } from './merkle-hash.ts';

/** A complete subtree: `2 ** level` leaves from leaf `index * 2 ** level` on. */
export interface Node {
  readonly level: number;
  readonly index: number;
}
/** A part of the tree as the complete subtrees it consists of, from left to right; its hash is folded from the right. */
export type Part = readonly Node[];

/** The complete subtrees that make up the leaves of `[begin, end)`, where `begin` is a multiple of their largest. */
export function partOf(begin: number, end: number): Part {
  const nodes: Node[] = [];
  let at = begin;
  while (at < end) {
    const level = largestLevel(at, end - at);
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** The largest complete subtree that begins at a leaf and has at most so many leaves. */
function largestLevel(at: number, most: number): number {
  let level = 0;
  while (2 ** (level + 1) <= most && at % 2 ** (level + 1) === 0) level += 1;
  return level;
}

/** Hash of a part from those of its subtrees, from left to right; of no part at all, that of the empty tree. */
export function foldHashes(hashes: readonly Hash[]): Hash {
  const last = hashes.at(-1);
  if (last === undefined) return emptyRoot();
  return hashes.slice(0, -1).reduceRight<Hash>((right, left) => hashNode(left, right), last);
}

/**
 * What an inclusion proof of a leaf consists of: the siblings from the leaf up (RFC 6962, section 2.1.1).
 *
 * @throws RangeError when there is no such leaf
 */
export function inclusionPath(index: number, size: number): readonly Part[] {
  if (!(Number.isSafeInteger(size) && index >= 0 && index < size))
    throw new RangeError(`no leaf ${index} of ${size}`);
  const path: Part[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + leftOf(end - begin);
    if (index < middle) {
      path.push(partOf(middle, end));
      end = middle;
    } else {
      path.push(partOf(begin, middle));
      begin = middle;
    }
  }
  return path.toReversed();
}

/**
 * What a proof consists of that the tree of `size1` leaves is the beginning of that of `size2` (RFC 6962, section 2.1.2).
 *
 * @throws RangeError unless `0 < size1 <= size2`
 */
export function consistencyPath(size1: number, size2: number): readonly Part[] {
  if (!(Number.isSafeInteger(size2) && size1 > 0 && size1 <= size2))
    throw new RangeError(`no beginning of ${size1} leaves in ${size2}`);
  const path: Part[] = [];
  let [begin, end] = [0, size2];
  while (size1 < end) {
    const middle = begin + leftOf(end - begin);
    if (size1 <= middle) {
      path.push(partOf(middle, end));
      end = middle;
    } else {
      path.push(partOf(begin, middle));
      begin = middle;
    }
  }
  // Where the beginning is itself one subtree from the first leaf on, its root is known to whoever asks.
  if (begin > 0) path.push(partOf(begin, end));
  return path.toReversed();
}

/** Leaves of the left subtree: the largest power of two below the size. */
function leftOf(size: number): number {
  let left = 1;
  while (left * 2 < size) left *= 2;
  return left;
}
