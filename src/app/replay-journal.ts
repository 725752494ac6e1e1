import type { Task } from '../domain/task.ts';
import { LetheError } from '../domain/errors.ts';
import { checkSubmission } from './check-submission.ts';
import { planRequest, writePlans, type PlannedRequest } from './plan-request.ts';
import type { Deps, Transaction } from './ports.ts';
import type { JournalEntry } from './ports/journal.ts';

/** What the database makes of an entry. */
export type ReplayVerdict =
  /** It knows of the erasure. */
  | 'known'
  /** It knows the task, which has not ended: its own work, or a person, carries it on. */
  | 'open'
  /** It was opened again before. */
  | 'reopened_before'
  /** It is opened again; where nothing is to be written, it would be. */
  | 'reopened'
  /** It cannot be opened: see `problem`. */
  | 'impossible';

export interface Replayed {
  readonly entry: JournalEntry;
  readonly verdict: ReplayVerdict;
  /** The request that carries the erasure out again, where there is one. */
  readonly requestId: string | null;
  /** What stands in the way, without any identifier. */
  readonly problem: string | null;
}

export interface ReplayOptions {
  /** Gives the key that stands as the submitter of what is opened; asked for only when something is. */
  readonly apiKeyId: () => Promise<string>;
  /** Nothing is written. */
  readonly dryRun: boolean;
}

/**
 * Opens what a database restored from a backup does not know to be erased, each erasure as a request of its own, which asks
 * nobody again: who had to be asked was asked. A standing hold keeps it all the same. Of many entries of one task the
 * first counts; replayed again, nothing is made twice, since the new request's id follows from the task's.
 */
export async function replayEntries(
  deps: Deps,
  entries: readonly JournalEntry[],
  options: ReplayOptions,
): Promise<readonly Replayed[]> {
  const distinct = [
    ...new Map(entries.toReversed().map((entry) => [entry.taskId, entry])).values(),
  ].reverse();
  const tasks = await deps.store.listTasksById(distinct.map(({ taskId }) => taskId));
  const known = new Map(tasks.map((task) => [task.id, task]));
  const replayed: Replayed[] = [];
  for (const entry of distinct)
    replayed.push(await replayEntry(deps, { entry, task: known.get(entry.taskId) }, options));
  if (replayed.some(({ verdict }) => verdict === 'reopened') && !options.dryRun) deps.workIsDue();
  return replayed;
}

async function replayEntry(
  deps: Deps,
  { entry, task }: { entry: JournalEntry; task: Task | undefined },
  options: ReplayOptions,
): Promise<Replayed> {
  if (task !== undefined) {
    const verdict = task.state === 'erased' ? 'known' : 'open';
    return { entry, verdict, requestId: task.requestId, problem: null };
  }
  const requestId = reopenedIdOf(entry);
  if ((await deps.store.findScope(requestId)) !== undefined)
    return { entry, verdict: 'reopened_before', requestId, problem: null };
  try {
    // Before the transaction: it may be made just now.
    const apiKeyId = options.dryRun ? 'none' : await options.apiKeyId();
    await deps.store.transaction(async (tx) => {
      const plan = await planOf(tx, deps, { entry, requestId, apiKeyId });
      if (!options.dryRun) await writePlans(tx, deps, [plan]);
    });
    return { entry, verdict: 'reopened', requestId, problem: null };
  } catch (error) {
    if (!(error instanceof LetheError)) throw error;
    return { entry, verdict: 'impossible', requestId: null, problem: error.message };
  }
}

/** The same for the same task, so that it is opened once. */
function reopenedIdOf({ taskId }: JournalEntry): string {
  return taskId.replace(/^tk_/, 'er_');
}

async function planOf(
  tx: Transaction,
  deps: Deps,
  of: { entry: JournalEntry; requestId: string; apiKeyId: string },
): Promise<PlannedRequest> {
  const { entry, requestId, apiKeyId } = of;
  const { connection, regulation, receivedAt } = entry;
  const userId = deps.vault.lasting.openText(entry.taskId, entry.sealed, 'journal');
  const submission = { ...{ connection, regulation, receivedAt }, projectKeys: [entry.projectKey] };
  const accepted = checkSubmission(deps, { ...submission, subject: { userId } });
  const refs = deps.vault.subjectRefs(accepted.subject);
  const standing = (await tx.listStandingRefs(refs)).size > 0;
  const replays = { requestId: entry.requestId, taskId: entry.taskId };
  return planRequest(deps, requestId, {
    ...{ accepted, refs, standing, apiKeyId, replays, now: tx.now, channel: 'replay' },
  });
}
