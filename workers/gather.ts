import { expirePackage } from '../src/app/expire-package.ts';
import { gatherTask } from '../src/app/gather-task.ts';
import { makePackage } from '../src/app/make-package.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { forWholeRequest, withStep, type WorkerContext } from './context.ts';

/** Reads the next piece of what OpenReplay holds of a user, for an access package. */
export async function gather(context: WorkerContext, lease: WorkLease): Promise<void> {
  await withStep(context, lease, async (begun, connection) => {
    await gatherTask(context.deps, begun, connection);
  });
}

/** Puts an access package together once everything is gathered. */
export async function packUp(context: WorkerContext, lease: WorkLease): Promise<void> {
  await forWholeRequest(context, lease, makePackage);
}

/** Deletes an access package whose time is over. */
export async function expire(context: WorkerContext, lease: WorkLease): Promise<void> {
  await forWholeRequest(context, lease, expirePackage);
}
