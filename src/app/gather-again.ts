import type { Actor } from '../domain/events.ts';
import { requestMoved } from '../domain/request.ts';
import { encodeEvents } from './encode-events.ts';
import { gatherWork } from './new-work.ts';
import type { Deps, RequestScope, Transaction } from './ports.ts';

/** Gathers anew what lacked something, or everything where nothing is left of the package. */
export async function gatherAgain(
  tx: Transaction,
  deps: Pick<Deps, 'encodeEvent'>,
  { scope: { request, tasks }, actor }: { scope: RequestScope; actor: Actor },
): Promise<void> {
  const kept = await tx.findPackage(request.id);
  const parts = await tx.listPackageTasks(request.id);
  const lacking = parts.filter(({ gaps }) => gaps > 0);
  const anew = kept?.state === 'ready' && lacking.length > 0 ? lacking : parts;
  const ids = anew.map(({ taskId }) => taskId);
  const again = tasks.filter(({ id }) => ids.includes(id));
  await tx.write(request.id, {
    request: { from: [request.state], patch: { state: 'gathering', attention: null } },
    events: encodeEvents(deps, { request, now: tx.now }, [
      requestMoved(request, 'gathering', { actor }),
      { type: 'package.gathering', actor, data: { tasks: again.length } },
    ]),
  });
  await tx.restartPackage(request.id, ids);
  // The row that would have expired it.
  await tx.deleteWorkOf(request.id, null);
  await tx.insertWork(gatherWork(again, tx.now));
}
