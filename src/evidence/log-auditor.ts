import type { EventPlace } from './event-place.ts';
import { placeOf } from './event-place.ts';
import { Frontier } from './frontier.ts';
import { hashLeaf, sameHash, type Hash } from './merkle-hash.ts';

/** What was found to be wrong, in words that name the event. */
export interface Finding {
  readonly code:
    | 'event_changed'
    | 'event_missing'
    | 'event_misplaced'
    | 'event_unreadable'
    | 'event_not_sealed'
    | 'leaves_missing'
    | 'trail_gap'
    | 'count_wrong'
    | 'checkpoint_differs'
    | 'log_too_short'
    | 'signature_invalid';
  readonly message: string;
  readonly leaf?: number;
  readonly requestId?: string | null;
  readonly seq?: number;
}

/** A leaf as it is found. */
export interface FoundLeaf {
  /** Undefined where the event is gone. */
  readonly bytes: Uint8Array | undefined;
  /** Which event should be there, where that is known apart from its bytes. */
  readonly place?: Pick<EventPlace, 'requestId' | 'seq'>;
  /** What was kept as its hash. It is no evidence: it helps to name the event that differs. */
  readonly keptHash?: Hash;
}

/** A root that was signed for a size. */
export interface KnownRoot {
  readonly size: number;
  readonly root: Hash;
  /** For the reader: which checkpoint says so. */
  readonly from: string;
}

const CLOSING = new Set(['request.completed', 'request.refused', 'request.cancelled']);
const ADMIN = '';

/**
 * Goes through the leaves of a log in their order and recomputes everything from the bytes of the events: the tree, each
 * root that was signed, and that no trail has a gap. What it keeps in memory is a number for each trail.
 */
export class LogAuditor {
  private readonly tree = new Frontier();
  private readonly nextSeq = new Map<string, number>();
  private readonly roots: readonly KnownRoot[];
  private readonly report: (finding: Finding) => void;
  private rootsSeen = 0;
  /** Up to here every root that was signed came out. */
  private goodUntil = 0;

  /**
   * @param roots ascending by size
   * @param report called for each finding
   */
  constructor(roots: readonly KnownRoot[], report: (finding: Finding) => void) {
    this.roots = roots;
    this.report = report;
  }

  get size(): number {
    return this.tree.size;
  }

  get trails(): number {
    return this.nextSeq.size;
  }

  /** Takes the next leaf. */
  leaf({ bytes, place, keptHash }: FoundLeaf): void {
    const leaf = this.tree.size;
    if (bytes === undefined) {
      this.report({ code: 'event_missing', leaf, ...place, message: `${named(leaf, place)} is gone.` });
      this.append(keptHash ?? hashLeaf(new Uint8Array()));
      return;
    }
    const hash = hashLeaf(bytes);
    const found = placeOf(bytes);
    if (keptHash !== undefined && !sameHash(hash, keptHash)) this.changed(leaf, place ?? found);
    this.follow(leaf, found, place);
    if (found !== undefined && CLOSING.has(found.type)) this.count(leaf, found, bytes);
    this.append(hash);
  }

  /** Says what is wrong at the end: signed roots of trees that are larger than what is there. */
  finish(): void {
    for (const { size, from } of this.roots.slice(this.rootsSeen)) {
      const message = `The log ends after ${this.size} events, and ${from} is of ${size}: the events from leaf ${this.size} to ${size - 1} are gone.`;
      this.report({ code: 'log_too_short', leaf: this.size, message });
    }
  }

  private changed(leaf: number, place: Pick<EventPlace, 'requestId' | 'seq'> | undefined): void {
    this.report({
      code: 'event_changed',
      leaf,
      ...(place && { requestId: place.requestId, seq: place.seq }),
      message: `${named(leaf, place)} is not what was sealed.`,
    });
  }

  private follow(leaf: number, found: EventPlace | undefined, place: FoundLeaf['place']): void {
    if (found === undefined) {
      this.report({
        code: 'event_unreadable',
        leaf,
        ...place,
        message: `${named(leaf, place)} is not in the format of an event.`,
      });
      return;
    }
    const { requestId, seq } = found;
    if (place !== undefined && (place.requestId !== requestId || place.seq !== seq))
      this.report({
        code: 'event_misplaced',
        leaf,
        ...place,
        message: `${named(leaf, place)} says of itself that it is ${trailName(found)}.`,
      });
    const trail = requestId ?? ADMIN;
    const expected = this.nextSeq.get(trail) ?? 0;
    if (seq !== expected)
      this.report({
        code: 'trail_gap',
        leaf,
        requestId,
        seq,
        message: `${named(leaf, found)} comes where event ${expected} of its trail should.`,
      });
    this.nextSeq.set(trail, seq + 1);
  }

  private count(leaf: number, found: EventPlace, bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (text.includes(`"event_count":${found.seq + 1}`)) return;
    const message = `${named(leaf, found)} closes its trail and does not count ${found.seq + 1} events.`;
    this.report({ code: 'count_wrong', leaf, requestId: found.requestId, seq: found.seq, message });
  }

  private append(hash: Hash): void {
    this.tree.append(hash);
    for (;;) {
      const known = this.roots[this.rootsSeen];
      if (known?.size !== this.tree.size) return;
      this.rootsSeen += 1;
      this.compare(known);
    }
  }

  private compare({ size, root, from }: KnownRoot): void {
    if (sameHash(this.tree.root(), root)) {
      this.goodUntil = size;
      return;
    }
    const message = `The first ${size} events do not have the root that ${from} has signed: something from leaf ${this.goodUntil} to ${size - 1} was changed, removed or put in.`;
    this.report({ code: 'checkpoint_differs', leaf: this.goodUntil, message });
  }
}

function named(leaf: number, place: Pick<EventPlace, 'requestId' | 'seq'> | undefined): string {
  return place === undefined ? `Leaf ${leaf}` : `Leaf ${leaf}, ${trailName(place)},`;
}

function trailName({ requestId, seq }: Pick<EventPlace, 'requestId' | 'seq'>): string {
  return requestId === null ? `admin event ${seq}` : `event ${seq} of ${requestId}`;
}
