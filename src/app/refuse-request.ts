import type { RefusalGround } from '../domain/policy.ts';
import { requestMoved, type ErasureRequest } from '../domain/request.ts';
import { requestStatesBefore } from '../domain/states.ts';
import { cancelledTask } from '../domain/task-step.ts';
import { movingRequest } from './closing.ts';
import { decide, requireState, RequestStateForbidsError, type Decision } from './decide.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps, RequestScope, Transaction } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/**
 * Refuses a request on a ground of the law, in words for the subject (Art. 12(4)). Only while nothing was submitted to
 * OpenReplay: what was erased cannot be refused.
 *
 * @throws RequestStateForbidsError
 */
export async function refuseRequest(
  deps: Deps,
  decision: Decision & { ground: RefusalGround; text: string },
): Promise<RequestView | undefined> {
  const { ground } = decision;
  return decide(deps, { ...decision, kind: 'refused' }, async ({ tx, scope, actor }) => {
    const { tasks } = scope;
    requireState(scope, 'be refused', requestStatesBefore('refused'));
    const untouched = tasks.every((task) => task.rounds.length === 0);
    if (!untouched)
      throw new RequestStateForbidsError('be refused', 'erasing', requestStatesBefore('refused'));
    const request = await cancelPending(tx, deps, scope);
    for (const taskId of [null, ...tasks.map(({ id }) => id)]) await tx.deleteWorkOf(request.id, taskId);
    const withdrawn = await tx.endPackage(request.id, 'withdrawn');
    await tx.write(request.id, {
      ...movingRequest(
        deps,
        { request, now: tx.now },
        {
          from: requestStatesBefore('refused'),
          patch: { state: 'refused', attention: null, heldFrom: null, heldBy: null },
        },
      ),
      events: encodeEvents(deps, { request, now: tx.now }, [
        ...(withdrawn ? [{ type: 'package.withdrawn', actor } as const] : []),
        requestMoved(request, 'refused', { actor, data: { ground } }),
      ]),
    });
    return true;
  });
}

/** Tasks that nothing was submitted for end with the request. */
async function cancelPending(
  tx: Transaction,
  deps: Pick<Deps, 'encodeEvent'>,
  { request, tasks }: RequestScope,
): Promise<ErasureRequest> {
  let trail = request;
  for (const task of tasks) {
    if (task.state !== 'pending') continue;
    const { patch, events } = cancelledTask(task);
    await tx.write(request.id, {
      task: { id: task.id, from: ['pending'], patch: { ...patch, state: 'cancelled' } },
      events: encodeEvents(deps, { request: trail, now: tx.now }, events),
    });
    trail = { ...trail, eventCount: trail.eventCount + events.length };
  }
  return trail;
}
