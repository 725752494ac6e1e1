import type { EventDraft } from '../domain/events.ts';
import type { ErasureRequest } from '../domain/request.ts';
import { afterSentinel, type Reappearance, type SentinelReads } from '../domain/sentinel-step.ts';
import { noted } from '../domain/task-step.ts';
import type { NextWork } from '../domain/work.ts';
import { contextOf } from './commit-task-step.ts';
import { encodeEvents } from './encode-events.ts';
import { planRequest, writePlans, type PlannedRequest } from './plan-request.ts';
import type { Deps, Transaction, Work } from './ports.ts';

/**
 * Writes what a look at an erased task showed. Its request never changes its state, closed or not: where the subject is there
 * again, a request of its own is made, in the same transaction. One that is open for the same user and project is enough.
 *
 * @returns whether it was written
 */
export async function commitLook(deps: Deps, work: Work, reads: SentinelReads): Promise<boolean> {
  const written = await deps.store.withRequest(work.requestId, async (tx, scope) => {
    const task = scope?.tasks.find((candidate) => candidate.id === work.taskId);
    if (scope === undefined || task === undefined) return false;
    const { request } = scope;
    const write = (drafts: readonly EventDraft[], next: NextWork | null) =>
      tx.write(request.id, {
        work: { lease: work, next },
        events: encodeEvents(deps, { request, now: tx.now }, drafts),
      });
    const step = afterSentinel(task, reads, contextOf(deps, { tx, request, work }));
    if (step.kind === 'looked') return write(step.events, step.next);
    const { open, plan } = await reopen(tx, deps, { request, work, userId: reads.userId, how: step.how });
    const data = { ...step.data, request_id: open, made: plan !== undefined };
    // The request that is open looks at the subject from now on.
    const ours = await write([noted(task, 'task.sentinel_reappeared', data)], null);
    if (ours && plan !== undefined) await writePlans(tx, deps, [plan]);
    return ours;
  });
  if (written) deps.workIsDue();
  return written;
}

interface Reopening {
  readonly request: ErasureRequest;
  readonly work: Work;
  readonly userId: string;
  readonly how: Reappearance;
}

/** The id of the request that is open for the subject, and its plan where it is a new one. */
async function reopen(
  tx: Transaction,
  deps: Deps,
  { request, work, userId, how }: Reopening,
): Promise<{ open: string; plan?: PlannedRequest }> {
  const { connection, projectKey } = work;
  if (projectKey === null) throw new Error('a look at no project');
  const refs = deps.vault.subjectRefs({ userId });
  const known = await tx.findOpenErasure({ refs, connection, projectKey, but: request.id });
  if (known !== undefined) return { open: known };
  const subject = { userId };
  const { regulation, reference, submittedBy: apiKeyId } = request;
  const plan = await planRequest(deps, deps.newId('er'), {
    accepted: {
      subject,
      unroutable: undefined,
      connection,
      projectKeys: [projectKey],
      submission: { subject, regulation, ...(reference !== null && { reference }) },
    },
    refs,
    standing: (await tx.listStandingRefs(refs)).size > 0,
    apiKeyId,
    channel: 'sentinel',
    reopens: { requestId: request.id, needsPerson: how !== 'restored' || !isCovered(request) },
    now: tx.now,
  });
  return { open: plan.request.id, plan };
}

/** Whether what was approved for the request still is: nobody has held it, cancelled it or is asked about it. */
function isCovered({ state, cancelRequestedAt }: ErasureRequest): boolean {
  return cancelRequestedAt === null && (state === 'completed' || state === 'erasing');
}
