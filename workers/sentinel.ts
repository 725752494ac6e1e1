import { commitLook } from '../src/app/commit-look.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { newFrom } from '../src/domain/sentinel-step.ts';
import { sessionsOf, wholeTime } from '../src/domain/verify-step.ts';
import { withStep, type WorkerContext } from './context.ts';
import { readSubject } from './read-subject.ts';

/** Looks again, some days after an erasure, whether the subject is still gone. */
export async function sentinel(context: WorkerContext, lease: WorkLease): Promise<void> {
  const { deps } = context;
  await withStep(context, lease, async (begun, connection) => {
    const { work, task, subject } = begun;
    if (deps.pace.sentinelAgesMs.length === 0) {
      // It was turned off since.
      await deps.store.deleteWork(work);
      return;
    }
    const reads = await readSubject(context, begun, connection);
    const isThere = reads.sessions.ok && sessionsOf(reads.sessions.value) > 0;
    const newer = isThere
      ? await connection.api.listUserSessions(
          { projectKey: task.projectKey, userId: subject.userId },
          { ...wholeTime(Date.now()), startTimestamp: newFrom(task), limit: 1, page: 1 },
        )
      : undefined;
    await commitLook(deps, work, { ...reads, newer });
  });
}
