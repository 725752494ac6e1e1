import type { BegunStep } from '../src/app/begin-task-step.ts';
import { commitTaskStep } from '../src/app/commit-task-step.ts';
import { findLostJob } from '../src/app/find-job.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { afterCancel, type CancelResult } from '../src/domain/cancel-step.ts';
import type { JobAddress, OpenReplay, Outcome, RemoteJob } from '../src/domain/openreplay.ts';
import { currentRound } from '../src/domain/task.ts';
import { withStep, type WorkerContext } from './context.ts';

/** Cancels a task's job at OpenReplay and reads again to see what really happened. */
export async function cancel(context: WorkerContext, lease: WorkLease): Promise<void> {
  await withStep(context, lease, async (begun, connection) => {
    const result = await cancelJob(begun, connection.api);
    await commitTaskStep(context.deps, begun.work, (task, step) => afterCancel(task, result, step));
  });
}

async function cancelJob(begun: BegunStep, api: OpenReplay): Promise<CancelResult> {
  if (begun.task.state === 'pending') return { kind: 'no_job' };
  const before = await currentJob(begun, api);
  if (!before.ok) return missingOrFailed(before);
  if (before.value === undefined) return { kind: 'no_job' };
  // A failed job would be turned into a cancelled one, and the failure would be lost.
  if (ENDED.has(before.value.status)) return { kind: 'job', job: before.value, asked: false };
  return cancelAndReadAgain(api, { projectKey: begun.task.projectKey, jobId: before.value.jobId });
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

async function cancelAndReadAgain(api: OpenReplay, job: JobAddress): Promise<CancelResult> {
  const asked = await api.cancelJob(job);
  // A refusal means that it came to an end meanwhile; either way only reading again tells.
  const refused = !asked.ok && (asked.failure.kind === 'rejected' || asked.failure.kind === 'conflict');
  if (!asked.ok && !refused) return missingOrFailed(asked);
  const after = await api.getJob(job);
  return after.ok ? { kind: 'job', job: after.value, asked: true } : missingOrFailed(after);
}

/** The job of the task's round; searched for where the answer to the delete was lost. */
async function currentJob(begun: BegunStep, api: OpenReplay): Promise<Outcome<RemoteJob | undefined>> {
  const { projectKey } = begun.task;
  const jobId = currentRound(begun.task)?.jobId;
  if (jobId) return api.getJob({ projectKey, jobId });
  return findLostJob(api, { projectKey, userId: begun.subject.userId }, begun.task);
}

function missingOrFailed(read: Outcome<unknown> & { ok: false }): CancelResult {
  return read.failure.kind === 'not_found' ? { kind: 'missing' } : { kind: 'failure', failure: read.failure };
}
