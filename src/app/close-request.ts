import { LetheError } from '../domain/errors.ts';
import { requestMoved } from '../domain/request.ts';
import { isOpenTaskState } from '../domain/states.ts';
import { movingRequest } from './closing.ts';
import { decide, requireState, type Decision } from './decide.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/** Some of the request's tasks are still under way. Code TASKS_UNDER_WAY. */
export class TasksUnderWayError extends LetheError {
  constructor(count: number) {
    super(
      'TASKS_UNDER_WAY',
      `${count} of the request's tasks are still under way; wait until they have ended.`,
    );
  }
}

/**
 * Closes a request that needs a person, by the person's decision to accept what is left. The tasks stay as they are, so
 * that the record shows what was accepted.
 *
 * @throws RequestStateForbidsError when it needs no person, TasksUnderWayError
 */
export async function closeRequest(
  deps: Deps,
  decision: Decision & { text: string },
): Promise<RequestView | undefined> {
  return decide(deps, { ...decision, kind: 'closed' }, async ({ tx, scope, actor }) => {
    requireState(scope, 'be closed', ['needs_attention']);
    const { request, tasks } = scope;
    // Where something could not be read, the tasks have not been begun: they stay so.
    const begun = request.attention !== 'package_incomplete';
    const open = begun ? tasks.filter((task) => isOpenTaskState(task.state)).length : 0;
    if (open > 0) throw new TasksUnderWayError(open);
    const data = { outcome: 'closed_by_decision', reason: request.attention };
    await tx.write(request.id, {
      ...movingRequest(
        deps,
        { request, now: tx.now },
        {
          from: ['needs_attention'],
          patch: { state: 'completed', attention: null, completedAt: tx.now, outcome: 'closed_by_decision' },
        },
      ),
      events: encodeEvents(deps, { request, now: tx.now }, [
        requestMoved(request, 'completed', { actor, data }),
      ]),
    });
    return true;
  });
}
