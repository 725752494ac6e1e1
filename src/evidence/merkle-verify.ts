import { HASH_BYTES, hashNode, sameHash, type Hash } from './merkle-hash.ts';

/**
 * Whether a leaf is at this place of the tree with this root (RFC 9162, section 2.1.3.2).
 *
 * @param claim.index from 0
 * @param claim.size leaves of the tree
 * @param claim.proof the siblings, from the leaf up
 */
export function verifyInclusion(claim: {
  index: number;
  size: number;
  leafHash: Hash;
  proof: readonly Hash[];
  root: Hash;
}): boolean {
  const { index, size, proof } = claim;
  if (!isSize(size) || !isSize(index) || index >= size || !areHashes(proof)) return false;
  let [node, last, hash] = [index, size - 1, claim.leafHash];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = hashNode(sibling, hash);
      [node, last] = upToOdd(node, last);
    } else {
      hash = hashNode(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && sameHash(hash, claim.root);
}

/**
 * Whether the tree of `size1` leaves with `root1` is the beginning of the tree of `size2` leaves with `root2` (RFC 9162,
 * section 2.1.4.2). A tree without leaves is no beginning that could be shown.
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { size1, size2, root1, root2, proof } = claim;
  if (!isBeginning(size1, size2) || !areHashes(proof)) return false;
  if (size1 === size2) return proof.length === 0 && sameHash(root1, root2);
  if (proof.length === 0) return false;
  const roots = rootsOf({ ...claim, proof: isPowerOfTwo(size1) ? [root1, ...proof] : proof });
  return roots !== undefined && sameHash(roots.old, root1) && sameHash(roots.now, root2);
}

interface ConsistencyClaim {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Hash;
  readonly root2: Hash;
  readonly proof: readonly Hash[];
}

/** The roots of both trees as the hashes of the proof give them; undefined when they are not as many as it takes. */
function rootsOf({ size1, size2, proof }: ConsistencyClaim): { old: Hash; now: Hash } | undefined {
  const [first, ...rest] = proof;
  if (first === undefined) return undefined;
  let [node, last] = upToEven(size1 - 1, size2 - 1);
  let [old, now] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return undefined;
    if (isOdd(node) || node === last) {
      [old, now] = [hashNode(sibling, old), hashNode(sibling, now)];
      [node, last] = upToOdd(node, last);
    } else {
      now = hashNode(now, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 ? { old, now } : undefined;
}

/** Sizes and indices go beyond 32 bits, so nothing here shifts. */
function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isBeginning(size1: number, size2: number): boolean {
  return isSize(size1) && isSize(size2) && size1 > 0 && size1 <= size2;
}

function areHashes(proof: readonly Hash[]): boolean {
  return proof.every((hash) => hash.length === HASH_BYTES);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest > 1 && !isOdd(rest)) rest /= 2;
  return rest === 1;
}

/** A node that is the last of its level and a left one has no sibling there: on to the level where it has one. */
function upToOdd(node: number, last: number): [number, number] {
  let [at, end] = [node, last];
  while (!isOdd(at) && at !== 0) [at, end] = [half(at), half(end)];
  return [at, end];
}

function upToEven(node: number, last: number): [number, number] {
  let [at, end] = [node, last];
  while (isOdd(at)) [at, end] = [half(at), half(end)];
  return [at, end];
}
