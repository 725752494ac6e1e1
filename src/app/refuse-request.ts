import type { RefusalGround } from '../domain/policy.ts';
import { requestMoved } from '../domain/request.ts';
import { requestStatesBefore } from '../domain/states.ts';
import { decide, requireState, RequestStateForbidsError, type Decision } from './decide.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps } from './ports.ts';
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
    const { request, tasks } = scope;
    requireState(scope, 'be refused', requestStatesBefore('refused'));
    const untouched = tasks.every((task) => task.rounds.length === 0);
    if (!untouched)
      throw new RequestStateForbidsError('be refused', 'erasing', requestStatesBefore('refused'));
    for (const taskId of [null, ...tasks.map(({ id }) => id)]) await tx.deleteWorkOf(request.id, taskId);
    await tx.write(request.id, {
      request: {
        from: requestStatesBefore('refused'),
        patch: { state: 'refused', attention: null, heldFrom: null, heldBy: null },
      },
      events: encodeEvents(deps, { request, now: tx.now }, [
        requestMoved(request, 'refused', { actor, data: { ground } }),
      ]),
    });
    return true;
  });
}
