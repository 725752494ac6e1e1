import type { LogReader, ReadRun } from '../app/ports/log.ts';
import { openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { LogAuditor, type Finding, type KnownRoot } from './log-auditor.ts';
import type { NoteVerifier } from './signed-note.ts';
import { leafTiles, Tiles } from './tiles.ts';

/** A checkpoint that has left the machine, with the name of where it was found. */
export interface PublishedCheckpoint {
  readonly note: string;
  readonly from: string;
}

export interface LogAuditOptions {
  /** Whose signatures count: the key of the log, and those it had under former names. */
  readonly verifiers: readonly NoteVerifier[];
  readonly published: readonly PublishedCheckpoint[];
  readonly onProgress?: (done: { readonly events: number; readonly of: number }) => void;
}

export interface LogAuditReport {
  /** Leaves of the log. */
  readonly events: number;
  readonly trails: number;
  /** Roots that were signed and compared. */
  readonly checkpoints: number;
  /** Events that wait to be sealed. */
  readonly unsealed: number;
  /** The first hundred things that are wrong; none where the log is what was signed. */
  readonly findings: readonly Finding[];
  readonly findingsInAll: number;
}

const MOST_FINDINGS = 100;
const RUNS_AT_A_TIME = 2_000;

/**
 * Checks the whole log in the database: every event is there and is what was sealed, every root that was ever signed comes out of
 * the bytes of the events, no trail has a gap, and nothing stands beside the log. What was published shows what the database
 * alone cannot: that all of it was rewritten, or its end cut off.
 */
export async function auditLog(reader: LogReader, options: LogAuditOptions): Promise<LogAuditReport> {
  const findings: Finding[] = [];
  let findingsInAll = 0;
  const report = (finding: Finding) => {
    findingsInAll += 1;
    if (findings.length < MOST_FINDINGS) findings.push(finding);
  };
  const roots = await knownRoots(reader, options, report);
  const auditor = new LogAuditor(roots, report);
  const of = await reader.countLeaves();
  for (let next = 0; ;) {
    const runs = await reader.listRuns(next, RUNS_AT_A_TIME);
    if (runs.length === 0) break;
    next = await auditRuns({ reader, auditor, report }, runs);
    options.onProgress?.({ events: auditor.size, of });
  }
  auditor.finish();
  for (const beside of await reader.listBesideLog(MOST_FINDINGS)) report(besideLog(beside));
  const { size: events, trails } = auditor;
  return {
    events,
    trails,
    checkpoints: roots.length,
    unsealed: await reader.countUnsealed(),
    findings,
    findingsInAll,
  };
}

interface Audit {
  readonly reader: LogReader;
  readonly auditor: LogAuditor;
  readonly report: (finding: Finding) => void;
}

/** @returns the leaf that comes next */
async function auditRuns({ reader, auditor, report }: Audit, runs: readonly ReadRun[]): Promise<number> {
  const from = auditor.size;
  const end = Math.max(...runs.map(({ firstLeaf, events }) => firstLeaf + events.length));
  const kept = new Tiles(await reader.listTiles(leafTiles(from, end)));
  for (const { firstLeaf, requestId, firstSeq, events } of runs) {
    if (firstLeaf !== auditor.size) report(outOfPlace(auditor.size, { firstLeaf, requestId, firstSeq }));
    while (auditor.size < firstLeaf) auditor.leaf({ bytes: undefined, ...keptHash(kept, auditor.size) });
    events.forEach((bytes, index) => {
      const place = { requestId, seq: firstSeq + index };
      auditor.leaf({ bytes: bytes ?? undefined, place, ...keptHash(kept, auditor.size) });
    });
  }
  return end;
}

function keptHash(tiles: Tiles, leaf: number): { keptHash?: Uint8Array } {
  const hash = tiles.findLeaf(leaf);
  return hash === undefined ? {} : { keptHash: hash };
}

function outOfPlace(expected: number, run: Pick<ReadRun, 'firstLeaf' | 'requestId' | 'firstSeq'>): Finding {
  const whose = run.requestId === null ? 'Admin events' : `Events of ${run.requestId}`;
  return run.firstLeaf > expected
    ? {
        code: 'leaves_missing',
        leaf: expected,
        message: `No event stands at the leaves ${expected} to ${run.firstLeaf - 1}: they were removed, with whatever said whose they are.`,
      }
    : {
        code: 'event_misplaced',
        leaf: run.firstLeaf,
        requestId: run.requestId,
        seq: run.firstSeq,
        message: `${whose} from ${run.firstSeq} on stand at leaf ${run.firstLeaf}, where other events are.`,
      };
}

function besideLog({ requestId, seq }: { requestId: string | null; seq: number }): Finding {
  const event = requestId === null ? `Admin event ${seq}` : `Event ${seq} of ${requestId}`;
  const message = `${event} was never sealed and does not wait for it: it was put in past the log.`;
  return { code: 'event_not_sealed', requestId, seq, message };
}

/** Roots that are signed by a key that counts, ascending; each signature that does not hold is reported. */
async function knownRoots(
  reader: LogReader,
  { verifiers, published }: LogAuditOptions,
  report: (finding: Finding) => void,
): Promise<readonly KnownRoot[]> {
  const own = (await reader.listCheckpoints()).map(({ note, size }) => ({
    note,
    from: `the checkpoint of ${size} events in the database`,
  }));
  const roots: KnownRoot[] = [];
  for (const { note, from } of [...own, ...published]) {
    const opened = openAny(note, verifiers);
    if (opened === undefined)
      report({ code: 'signature_invalid', message: `${from} is not signed by a key of this log.` });
    else if (opened.size > 0) roots.push({ size: opened.size, root: opened.root, from });
  }
  return roots.toSorted((one, other) => one.size - other.size);
}

function openAny(note: string, verifiers: readonly NoteVerifier[]): Checkpoint | undefined {
  const [origin] = note.split('\n', 1);
  for (const verifier of verifiers.filter(({ name }) => name === origin)) {
    try {
      return openCheckpoint(note, verifier);
    } catch {
      // Another key may have had the same name.
    }
  }
  return undefined;
}
