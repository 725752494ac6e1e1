import { isTerminalRequestState } from '../domain/states.ts';
import { LETHE } from '../domain/events.ts';
import { encodeEvents } from './encode-events.ts';
import { judgeDeadlines, type JudgeDeps } from './list-deadlines.ts';
import type { Deps } from './ports.ts';

const TYPE = 'deadline.at_risk';

/** Notes in the trail of each open request that it may be late, or is: once for each, however often it is looked. */
export async function watchDeadlines(
  deps: JudgeDeps & Pick<Deps, 'encodeEvent' | 'workIsDue'>,
): Promise<void> {
  for await (const { request, view } of judgeDeadlines(deps, { days: 0 })) {
    if (view.status === 'due_soon') continue;
    if (await deps.store.hasEvent(request.id, TYPE)) continue;
    await tell(deps, request.id, { due_on: view.dueOn, overdue: view.status === 'overdue' });
  }
}

async function tell(
  deps: JudgeDeps & Pick<Deps, 'encodeEvent' | 'workIsDue'>,
  requestId: string,
  data: { due_on: string; overdue: boolean },
): Promise<void> {
  await deps.store.withRequest(requestId, async (tx, scope) => {
    // Another process may have told of it, or the request may have ended.
    if (scope === undefined || isTerminalRequestState(scope.request.state)) return;
    if (await tx.hasEvent(requestId, TYPE)) return;
    const { request } = scope;
    const events = encodeEvents(deps, { request, now: tx.now }, [{ type: TYPE, actor: LETHE, data }]);
    await tx.write(requestId, { events });
  });
  deps.workIsDue();
}
