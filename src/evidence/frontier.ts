import { hashNode, type Hash } from './merkle-hash.ts';
import { foldHashes } from './merkle-tree.ts';

/**
 * The root of a tree that grows leaf by leaf, and nothing else of it: of its right edge only the complete subtrees are kept,
 * one hash for each bit of the size. A leaf costs one hash more than its own on average.
 */
export class Frontier {
  /** From the largest subtree to the smallest. */
  private readonly subtrees: Hash[] = [];
  private leaves = 0;

  get size(): number {
    return this.leaves;
  }

  append(leafHash: Hash): void {
    let hash = leafHash;
    // Each trailing one of the size is a subtree as large as what is at hand: the two become one.
    for (let size = this.leaves; size % 2 === 1; size = (size - 1) / 2) {
      const left = this.subtrees.pop();
      if (left !== undefined) hash = hashNode(left, hash);
    }
    this.subtrees.push(hash);
    this.leaves += 1;
  }

  root(): Hash {
    return foldHashes(this.subtrees);
  }
}
