import { LETHE, type EventDraft } from '../domain/events.ts';
import type { NextWork } from '../domain/work.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps, RequestScope, Transaction, Work } from './ports.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The last look may be due in the very moment of the destruction: an hour first, then days. */
const TIMES_FOR_LOOKS = 1 + 7;

/**
 * Destroys the identifiers of a request that was closed long enough ago: its key and all that was sealed under it. It stays
 * known by its pseudonyms. A legal hold on the subject keeps everything while it stands, and looks at who was erased that a
 * server keeps waiting are waited for a week.
 *
 * @returns whether something was written
 */
export async function destroySubject(
  deps: Pick<Deps, 'store' | 'encodeEvent' | 'retentionMs' | 'journal'>,
  work: Work,
): Promise<boolean> {
  // Its lines hold the same identifiers, and nobody may have been erased for long.
  await deps.journal.tidy();
  return deps.store.withRequest(work.requestId, async (tx, scope) => {
    if (scope === undefined) return false;
    const { closedAt, subjectDestroyedAt } = scope.request;
    if (closedAt === null || subjectDestroyedAt !== null)
      return tx.write(work.requestId, { work: { lease: work, next: null }, events: [] });
    const dueAt = closedAt.getTime() + deps.retentionMs;
    if (dueAt > tx.now.getTime()) {
      // Kept for longer since it was scheduled.
      const next: NextWork = { kind: 'destroy', at: dueAt, reason: 'retention', attempts: 0 };
      return tx.write(work.requestId, { work: { lease: work, next }, events: [] });
    }
    const looks = await tx.listLooks(work.requestId);
    const wait = waitOf(scope, work, looks);
    return wait === undefined
      ? destroy(tx, deps, { scope, work, looks })
      : putOff(tx, deps, { scope, work, wait });
  });
}

interface Wait {
  readonly reason: 'standing_hold' | 'sentinel';
  readonly ms: number;
  readonly attempts: number;
}

function waitOf(
  { standingHold }: RequestScope,
  { attempts }: Work,
  looks: readonly string[],
): Wait | undefined {
  if (standingHold) return { reason: 'standing_hold', ms: DAY_MS, attempts };
  if (looks.length === 0 || attempts >= TIMES_FOR_LOOKS) return undefined;
  return { reason: 'sentinel', ms: attempts === 0 ? HOUR_MS : DAY_MS, attempts: attempts + 1 };
}

interface Destruction {
  readonly scope: RequestScope;
  readonly work: Work;
}

/** The trail says so once, however often it is put off. */
async function putOff(
  tx: Transaction,
  deps: Pick<Deps, 'encodeEvent'>,
  { scope: { request }, work, wait }: Destruction & { wait: Wait },
): Promise<boolean> {
  const now = tx.now.getTime();
  const at = now + wait.ms;
  const failingSince = work.failingSince?.getTime() ?? now;
  const draft: EventDraft = {
    type: 'request.destruction_put_off',
    actor: LETHE,
    data: { reason: wait.reason },
  };
  return tx.write(request.id, {
    work: {
      lease: work,
      next: { kind: 'destroy', at, reason: 'retention', attempts: wait.attempts, failingSince },
    },
    events: encodeEvents(deps, { request, now: tx.now }, work.failingSince === null ? [draft] : []),
  });
}

async function destroy(
  tx: Transaction,
  deps: Pick<Deps, 'encodeEvent'>,
  { scope: { request }, work, looks }: Destruction & { looks: readonly string[] },
): Promise<boolean> {
  const kept = await tx.findPackage(request.id);
  const hasData = kept?.state === 'ready' || kept?.state === 'gathering';
  const drafts: readonly EventDraft[] = [
    // Nobody can look for whom nobody knows.
    ...looks.map((taskId) => ({ type: 'task.sentinel_withdrawn', actor: LETHE, taskId }) as const),
    ...(hasData ? [{ type: 'package.expired', actor: LETHE } as const] : []),
    { type: 'request.subject_destroyed', actor: LETHE, data: { closed_at: rfc3339(request.closedAt) } },
  ];
  const written = await tx.write(request.id, {
    work: { lease: work, next: null },
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
  if (!written) return false;
  if (hasData) await tx.endPackage(request.id, 'expired');
  await tx.deleteWorkOf(request.id, null);
  if (looks.length > 0) await tx.deleteLooks(request.id);
  await tx.destroySubject(request.id);
  return true;
}

function rfc3339(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
