import { hashNode, type Hash } from '../../src/evidence/merkle-hash.ts';

/** The definitions of RFC 6962, section 2.1, as they are written there: no tiles, nothing kept. */
export function naiveRoot(leaves: readonly Hash[]): Hash {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return only;
  const middle = leftOf(leaves.length);
  return hashNode(naiveRoot(leaves.slice(0, middle)), naiveRoot(leaves.slice(middle)));
}
export function naivePath(index: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length === 1) return [];
  const middle = leftOf(leaves.length);
  const [left, right] = [leaves.slice(0, middle), leaves.slice(middle)];
  return index < middle
    ? [...naivePath(index, left), naiveRoot(right)]
    : [...naivePath(index - middle, right), naiveRoot(left)];
}
export function naiveProof(size: number, leaves: readonly Hash[], isBeginning = true): Hash[] {
  if (size === leaves.length) return isBeginning ? [] : [naiveRoot(leaves)];
  const middle = leftOf(leaves.length);
  const [left, right] = [leaves.slice(0, middle), leaves.slice(middle)];
  return size <= middle
    ? [...naiveProof(size, left, isBeginning), naiveRoot(right)]
    : [...naiveProof(size - middle, right, false), naiveRoot(left)];
}
function leftOf(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1));
}
