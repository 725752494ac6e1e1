import { commitTaskStep } from '../src/app/commit-task-step.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { afterVerify } from '../src/domain/verify-step.ts';
import { withStep, type WorkerContext } from './context.ts';
import { readSubject } from './read-subject.ts';

/** Looks again, after OpenReplay has reported its job, whether the data is really gone. */
export async function verify(context: WorkerContext, lease: WorkLease): Promise<void> {
  await withStep(context, lease, async (begun, connection) => {
    const reads = await readSubject(context, begun, connection);
    await commitTaskStep(context.deps, begun.work, (task, step) => afterVerify(task, reads, step));
  });
}
