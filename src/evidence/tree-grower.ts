import type { LogHead, LogTile, TreeGrower } from '../app/ports/log.ts';
import { LetheError } from '../domain/errors.ts';
import { signCheckpoint } from './checkpoint.ts';
import { emptyRoot, hashLeaf, sameHash } from './merkle-hash.ts';
import { consistencyPath } from './merkle-tree.ts';
import { verifyConsistency } from './merkle-verify.ts';
import type { NoteSigner } from './signed-note.ts';
import { edgeTiles, GrowingTree, Tiles } from './tiles.ts';

/** The tree of the log, signed by this key. */
export function createTreeGrower(signer: NoteSigner): TreeGrower {
  return {
    emptyHead: { size: 0, root: emptyRoot() },
    edgeOf: edgeTiles,
    grow: ({ head, edge }, leaves) => {
      const tree = growingFrom(head, edge);
      for (const leaf of leaves) tree.append(hashLeaf(leaf));
      const tiles = tree.takeChanged();
      const next = { size: tree.size, root: tree.root() };
      assertConsistent({ head, next, tiles: [...edge, ...tiles] });
      return { head: { ...next, note: signCheckpoint(next, signer) }, tiles };
    },
  };
}

function growingFrom(head: LogHead, edge: readonly LogTile[]): GrowingTree {
  try {
    return new GrowingTree(head.size, edge);
  } catch (cause) {
    throw inconsistent(head, cause);
  }
}

/** Nothing is signed that does not have the last signed head as its beginning, whatever was done to the tiles. */
function assertConsistent(of: { head: LogHead; next: LogHead; tiles: readonly LogTile[] }): void {
  const { head, next } = of;
  if (head.size === 0 && sameHash(emptyRoot(), head.root)) return;
  const tiles = new Tiles(of.tiles);
  const proof = consistencyPath(head.size, next.size).map((part) => tiles.hashOf(part));
  if (!verifyConsistency({ size1: head.size, size2: next.size, root1: head.root, root2: next.root, proof }))
    throw inconsistent(head);
}

function inconsistent(head: LogHead, cause?: unknown): LetheError {
  return new LetheError(
    'LOG_INCONSISTENT',
    `The tiles of the log are not those of its last checkpoint, of ${head.size} events.`,
    { cause },
  );
}
