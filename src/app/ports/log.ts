import type { Sealed } from './sealed.ts';

/** What the use cases need of the log: one Merkle tree over all events. Part of ports.ts. */

/** Events of one trail that follow each other. */
export interface EventRun {
  /** Null for the trail of what concerns no request. */
  readonly requestId: string | null;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface SealedRun extends EventRun {
  /** The leaf that the first of them became; the others follow it. */
  readonly firstLeaf: number;
}

/** Some hashes of the tree at their place, as src/evidence/tiles.ts says. */
export interface LogTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}
export type LogTilePlace = Pick<LogTile, 'level' | 'index'>;

/** The log as it was last signed; without leaves before it ever was. */
export interface LogHead {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface SignedHead extends LogHead {
  /** The signed checkpoint. */
  readonly note: string;
}

/** The tree as code; it keeps nothing. */
export interface TreeGrower {
  readonly emptyHead: LogHead;
  /** The tiles that `grow` needs. */
  edgeOf(size: number): readonly LogTilePlace[];
  /**
   * Adds leaves, and signs the new head once it is shown to be consistent with the old one.
   *
   * @param leaves the bytes of the events
   * @returns the signed head, and the tiles that are new or have grown
   * @throws LetheError LOG_INCONSISTENT when the tiles are not those of the head; nothing was signed
   */
  grow(
    from: { head: LogHead; edge: readonly LogTile[] },
    leaves: readonly Uint8Array[],
  ): { head: SignedHead; tiles: readonly LogTile[] };
}

export interface SealTransaction {
  /** Only one at a time seals; false while another does. */
  lockLog(): Promise<boolean>;
  /** Takes events that wait to be sealed, in the order in which they were written. */
  takeUnsealed(most: number): Promise<readonly EventRun[]>;
  /** The bytes of all their events, in their order. */
  listRunBytes(runs: readonly EventRun[]): Promise<readonly Uint8Array[]>;
  /** Undefined before anything was sealed. */
  findHead(): Promise<SignedHead | undefined>;
  listTiles(places: readonly LogTilePlace[]): Promise<readonly LogTile[]>;
  insertSealed(
    runs: readonly SealedRun[],
    grown: { head: SignedHead; tiles: readonly LogTile[] },
  ): Promise<void>;
}

/** How far sealing is behind. */
export interface SealingLag {
  /** Writes whose events are not sealed. */
  readonly runs: number;
  /** Of the oldest of them. */
  readonly oldestSeconds: number;
}

export interface LogStore {
  seal<T>(work: (tx: SealTransaction) => Promise<T>): Promise<T>;
  hasUnsealed(): Promise<boolean>;
  getLag(): Promise<SealingLag>;
  findHead(): Promise<SignedHead | undefined>;
  /** All reads are of the moment of the first. */
  read<T>(work: (reader: LogReader) => Promise<T>): Promise<T>;
  listKeys(): Promise<readonly LogKey[]>;
  /** The first key that is kept for a name stays: what is given is kept only where there is none. */
  keepKey(key: LogKey): Promise<LogKey>;
}

export interface LogKey {
  readonly origin: string;
  readonly verifierKey: string;
  readonly privateSealed: Sealed;
}

/** Events that became leaves one after another, as they are found in the database. */
export interface ReadRun {
  readonly firstLeaf: number;
  readonly requestId: string | null;
  readonly firstSeq: number;
  /** The bytes of each; null where it is gone. */
  readonly events: readonly (Uint8Array | null)[];
}

/** Reads of one moment of the log. */
export interface LogReader {
  countLeaves(): Promise<number>;
  countUnsealed(): Promise<number>;
  /** Those that begin at this leaf or after it. */
  listRuns(fromLeaf: number, most: number): Promise<readonly ReadRun[]>;
  listTiles(places: readonly LogTilePlace[]): Promise<readonly LogTile[]>;
  /** Ascending by size. */
  listCheckpoints(): Promise<readonly SignedHead[]>;
  /** Undefined before anything was sealed. */
  findHead(): Promise<SignedHead | undefined>;
  /** The events of a request, in their order; none where there is no such request. */
  listTrail(requestId: string): Promise<readonly SealedEvent[]>;
  /** Events that are neither sealed nor wait for it. */
  listBesideLog(
    most: number,
  ): Promise<readonly { readonly requestId: string | null; readonly seq: number }[]>;
}

/** An event of a request's trail. */
export interface SealedEvent {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Null while it waits to be sealed. */
  readonly leaf: number | null;
}

/** A certificate in its two forms. */
export interface IssuedCertificate {
  /** Signed; what is certified. */
  readonly json: object;
  /** The same for people, as PDF. */
  print(): Promise<Uint8Array>;
}

/** Makes certificates; it keeps nothing. */
export interface Certifier {
  /** The tiles that it takes to show that these leaves are in the log of this size. */
  tilesFor(leaves: readonly number[], size: number): readonly LogTilePlace[];
  /**
   * @throws LetheError CERTIFICATE_NOT_READY, CERTIFICATE_REFUSED: there is none of such a request
   */
  certify(from: {
    readonly events: readonly SealedEvent[];
    readonly head: LogHead & { readonly note: string };
    readonly tiles: readonly LogTile[];
    readonly issuedAt: Date;
  }): IssuedCertificate;
}
