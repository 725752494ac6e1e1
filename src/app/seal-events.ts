import { LetheError } from '../domain/errors.ts';
import type { EventRun, LogStore, SealedRun, TreeGrower } from './ports/log.ts';

/** Events that wait are sealed so many writes at a time, each a handful of events: some megabytes. */
export const RUNS_AT_A_TIME = 2_000;

/**
 * Seals events that wait: each becomes the next leaf of the tree, and the tree's new head is signed, in one transaction.
 * Events of one request keep their order; what order those of several have is nobody's evidence. Never by a sequence or a
 * time: both are given before the commit and would pass by what commits late.
 *
 * @returns how many events were sealed; 0 when there was nothing or another process seals
 * @throws LetheError LOG_EVENT_MISSING, LOG_INCONSISTENT: somebody has changed the database; nothing was sealed
 */
export async function sealEvents(deps: { log: LogStore; tree: TreeGrower }): Promise<number> {
  if (!(await deps.log.hasUnsealed())) return 0;
  return deps.log.seal(async (tx) => {
    if (!(await tx.lockLog())) return 0;
    const runs = await tx.takeUnsealed(RUNS_AT_A_TIME);
    if (runs.length === 0) return 0;
    const leaves = await tx.listRunBytes(runs);
    const head = (await tx.findHead()) ?? deps.tree.emptyHead;
    const sealed = placed(runs, head.size);
    assertAllThere(sealed, { from: head.size, count: leaves.length });
    const edge = await tx.listTiles(deps.tree.edgeOf(head.size));
    await tx.insertSealed(sealed, deps.tree.grow({ head, edge }, leaves));
    return leaves.length;
  });
}

function placed(runs: readonly EventRun[], from: number): readonly SealedRun[] {
  let firstLeaf = from;
  return runs.map((run) => {
    const sealed = { ...run, firstLeaf };
    firstLeaf += run.lastSeq - run.firstSeq + 1;
    return sealed;
  });
}

/** An event that was deleted before it was sealed must not go unnoticed: the log stops there until a person has looked. */
function assertAllThere(runs: readonly SealedRun[], leaves: { from: number; count: number }): void {
  const last = runs.at(-1);
  const expected = last === undefined ? 0 : last.firstLeaf + last.lastSeq - last.firstSeq + 1 - leaves.from;
  if (expected === leaves.count) return;
  throw new LetheError(
    'LOG_EVENT_MISSING',
    `Of ${expected} events that wait to be sealed, ${leaves.count} are in the database.`,
  );
}
