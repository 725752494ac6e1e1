import { hash } from 'node:crypto';

/** SHA-256, 32 bytes. */
export type Hash = Uint8Array;
export const HASH_BYTES = 32;

/** Hashing in one call from a buffer that is there already costs half of what `createHash` does. */
const node = Buffer.alloc(1 + 2 * HASH_BYTES, 1);
let leaf = Buffer.alloc(4_096);

/** Hash of a leaf: `SHA-256(0x00 || bytes)` (RFC 6962, section 2.1). */
export function hashLeaf(bytes: Uint8Array): Buffer {
  if (bytes.length >= leaf.length) leaf = Buffer.alloc(2 * bytes.length);
  leaf.set(bytes, 1);
  return hash('sha256', leaf.subarray(0, 1 + bytes.length), 'buffer');
}

/** Hash of a node of the tree: `SHA-256(0x01 || left || right)`. */
export function hashNode(left: Hash, right: Hash): Buffer {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hash('sha256', node, 'buffer');
}

/** Root of the tree without leaves: SHA-256 of nothing. */
export function emptyRoot(): Buffer {
  return hash('sha256', '', 'buffer');
}

export function sameHash(one: Hash, other: Hash): boolean {
  return one.length === HASH_BYTES && Buffer.compare(one, other) === 0;
}
