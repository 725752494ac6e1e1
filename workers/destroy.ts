import { destroySubject } from '../src/app/destroy-subject.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { forWholeRequest, type WorkerContext } from './context.ts';

/** Destroys the identifiers of a request that was closed long enough ago. */
export async function destroy(context: WorkerContext, lease: WorkLease): Promise<void> {
  await forWholeRequest(context, lease, destroySubject);
}
