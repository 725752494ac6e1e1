import { HASH_BYTES, hashNode, type Hash } from './merkle-hash.ts';
import { foldHashes, partOf, type Node, type Part } from './merkle-tree.ts';

/** Levels of the tree in a tile, as in C2SP tlog-tiles: a full one holds 256 hashes. */
const TILE_LEVELS = 8;
const TILE_HASHES = 2 ** TILE_LEVELS;

/** Hashes of one level of the tree, every eighth level, by 256: all other nodes follow from them. */
export interface Tile {
  /** 0 for leaves, 1 for the nodes eight levels above them, and so on. */
  readonly level: number;
  readonly index: number;
  /** At most 256 hashes, one after another; fewer where the tree ends. */
  readonly hashes: Uint8Array;
}
export type TilePlace = Pick<Tile, 'level' | 'index'>;

/** The tile that a node is in or follows from. */
function tileOf({ level, index }: Node): TilePlace {
  const inTile = level % TILE_LEVELS;
  return {
    level: (level - inTile) / TILE_LEVELS,
    index: Math.floor((index * 2 ** inTile) / TILE_HASHES),
  };
}

/** The tiles that the hashes of these parts follow from, each once. */
export function tilesOf(parts: readonly Part[]): readonly TilePlace[] {
  return [...new Map(parts.flat().map((node) => [keyOf(tileOf(node)), tileOf(node)])).values()];
}

/** The tiles at the right edge of a tree: all that is needed to let it grow. */
export function edgeTiles(size: number): readonly TilePlace[] {
  const places: TilePlace[] = [];
  for (let [level, hashes] = [0, size]; hashes > 0; level += 1, hashes = Math.floor(hashes / TILE_HASHES)) {
    if (hashes % TILE_HASHES > 0) places.push({ level, index: Math.floor(hashes / TILE_HASHES) });
  }
  return places;
}

/** The tiles with the hashes of these leaves. */
export function leafTiles(from: number, end: number): readonly TilePlace[] {
  const [first, last] = [Math.floor(from / TILE_HASHES), Math.floor((end - 1) / TILE_HASHES)];
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => ({ level: 0, index: first + n }));
}

/** Tiles by their place; hashes of nodes and parts of the tree are computed from them, each once. */
export class Tiles {
  private readonly byPlace: ReadonlyMap<string, Tile>;
  /** Of tiles that were asked for: their hashes, the nodes above them, and so on. */
  private readonly levels = new Map<string, readonly (readonly Hash[])[]>();

  constructor(tiles: readonly Tile[]) {
    this.byPlace = new Map(tiles.map((tile) => [keyOf(tile), tile]));
  }

  /** @throws RangeError when the tiles that it follows from are not here */
  hashOf(part: Part): Hash {
    return foldHashes(part.map((node) => this.hashOfNode(node)));
  }

  /** The hash that is kept of a leaf, where its tile is here. */
  findLeaf(leaf: number): Hash | undefined {
    const from = (leaf % TILE_HASHES) * HASH_BYTES;
    const tile = this.byPlace.get(keyOf({ level: 0, index: Math.floor(leaf / TILE_HASHES) }));
    const hash = tile?.hashes.subarray(from, from + HASH_BYTES);
    return hash?.length === HASH_BYTES ? hash : undefined;
  }

  private hashOfNode(node: Node): Hash {
    const place = tileOf(node);
    const level = node.level % TILE_LEVELS;
    const hash = this.levelsOf(place)[level]?.[node.index % 2 ** (TILE_LEVELS - level)];
    if (hash === undefined)
      throw new RangeError(`tile ${keyOf(place)} does not reach node ${node.level}/${node.index}`);
    return hash;
  }

  private levelsOf(place: TilePlace): readonly (readonly Hash[])[] {
    const key = keyOf(place);
    const known = this.levels.get(key);
    if (known !== undefined) return known;
    const levels = levelsAbove(splitHashes(this.byPlace.get(key)?.hashes ?? new Uint8Array()));
    this.levels.set(key, levels);
    return levels;
  }
}

function keyOf({ level, index }: TilePlace): string {
  return `${level}/${index}`;
}

/** The hashes, and above them those of every complete pair, up to where there is none. */
function levelsAbove(hashes: readonly Hash[]): readonly (readonly Hash[])[] {
  const levels = [hashes];
  for (let nodes = pairs(hashes); nodes.length > 0; nodes = pairs(nodes)) levels.push(nodes);
  return levels;
}

function pairs(nodes: readonly Hash[]): Hash[] {
  const parents: Hash[] = [];
  nodes.forEach((right, index) => {
    const left = index % 2 === 1 ? nodes[index - 1] : undefined;
    if (left !== undefined) parents.push(hashNode(left, right));
  });
  return parents;
}

function splitHashes(hashes: Uint8Array): Hash[] {
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, index) =>
    hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}

function foldComplete(hashes: readonly Hash[]): Hash {
  const [root] = levelsAbove(hashes).at(-1) ?? [];
  if (root === undefined) throw new RangeError('no hashes');
  return root;
}

/**
 * A tree that grows at its right edge, from the tiles that stand there. Adding a leaf costs one hash more than itself on
 * average, however large the tree is.
 */
export class GrowingTree {
  /** By level: the hashes of the last tile, not yet 256. */
  private readonly edge: Hash[][] = [];
  private readonly full: Tile[] = [];
  private readonly touched = new Set<number>();
  private leaves: number;

  /**
   * @param size leaves so far
   * @param tiles those at `edgeTiles(size)`
   * @throws RangeError when they are not exactly these, with as many hashes as the size says
   */
  constructor(size: number, tiles: readonly Tile[]) {
    this.leaves = size;
    for (const place of edgeTiles(size)) {
      const tile = tiles.find(({ level, index }) => level === place.level && index === place.index);
      const expected = Math.floor(size / TILE_HASHES ** place.level) % TILE_HASHES;
      const hashes = tile === undefined ? [] : splitHashes(tile.hashes);
      // A tile may already hold more than this size says, where a smaller tree is looked at.
      if (hashes.length < expected)
        throw new RangeError(`tile ${keyOf(place)} has fewer hashes than ${expected}`);
      this.edge[place.level] = hashes.slice(0, expected);
    }
  }

  get size(): number {
    return this.leaves;
  }

  append(leafHash: Hash): void {
    this.leaves += 1;
    this.push(0, leafHash);
  }

  private push(level: number, hash: Hash): void {
    const hashes = (this.edge[level] ??= []);
    hashes.push(hash);
    this.touched.add(level);
    if (hashes.length < TILE_HASHES) return;
    const joined = Buffer.concat(hashes);
    const index = Math.floor((this.leaves - 1) / TILE_HASHES ** (level + 1));
    this.full.push({ level, index, hashes: joined });
    this.edge[level] = [];
    this.push(level + 1, foldComplete(hashes));
  }

  /** Tiles that are new or longer than they were, since the start or the last call. */
  takeChanged(): readonly Tile[] {
    const edge = edgeTiles(this.leaves)
      .filter(({ level }) => this.touched.has(level))
      .map((place) => ({ ...place, hashes: Buffer.concat(this.edge[place.level] ?? []) }));
    const changed = [...this.full.splice(0), ...edge];
    this.touched.clear();
    return changed;
  }

  root(): Hash {
    const tiles = edgeTiles(this.leaves).map((place) => ({
      ...place,
      hashes: Buffer.concat(this.edge[place.level] ?? []),
    }));
    return new Tiles(tiles).hashOf(partOf(0, this.leaves));
  }
}
