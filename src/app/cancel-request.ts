import { LetheError } from '../domain/errors.ts';
import type { Actor } from '../domain/events.ts';
import { requestMoved, type ErasureRequest } from '../domain/request.ts';
import {
  isOpenTaskState,
  isTerminalRequestState,
  requestStatesBefore,
  TASK_TRANSITIONS,
} from '../domain/states.ts';
import { cancelledTask } from '../domain/task-step.ts';
import type { Task } from '../domain/task.ts';
import { writeStep } from './commit-task-step.ts';
import type { Deps, Transaction } from './ports.ts';
import { recordEvents } from './record-events.ts';
import type { RequestView } from './request-view.ts';
import { showRequest } from './show-request.ts';

/** The request is closed, so there is nothing to cancel. Code REQUEST_CLOSED. */
export class RequestClosedError extends LetheError {
  constructor(state: string) {
    super('REQUEST_CLOSED', `The request is ${state}; it can no longer be cancelled.`);
  }
}

/**
 * Cancels a request. Before anything was sent it just ends; afterwards the jobs at OpenReplay are cancelled by
 * the workers, which read again to see what really happened. Asking twice changes nothing.
 *
 * @returns the request as it is now, or undefined when there is none with this id
 * @throws RequestClosedError when it is completed, refused or cancelled
 */
export async function cancelRequest(
  deps: Deps,
  command: { requestId: string; apiKeyId: string },
): Promise<RequestView | undefined> {
  await deps.store.transaction(async (tx) => {
    const request = await tx.lockRequest(command.requestId);
    if (request?.cancelRequestedAt !== null) return;
    if (isTerminalRequestState(request.state)) throw new RequestClosedError(request.state);
    await tx.updateRequest(request.id, [request.state], { cancelRequestedAt: tx.now });
    const actor: Actor = { kind: 'api_key', id: command.apiKeyId };
    const eventCount = await recordEvents(tx, { deps, request }, [
      { type: 'request.cancel_requested', actor },
    ]);
    await cancelTasks(tx, deps, { ...request, cancelRequestedAt: tx.now, eventCount });
  });
  deps.workIsDue();
  return showRequest(deps, command.requestId);
}

/**
 * Tasks of which nothing runs at OpenReplay end at once. What has been submitted, or is in a worker's hands, is
 * left to the workers: the work that waits becomes a cancelling, and the one who holds work sees the wish when
 * it writes its outcome. A job that is already being verified is past cancelling.
 */
async function cancelTasks(tx: Transaction, deps: Deps, request: ErasureRequest): Promise<void> {
  const tasks = await tx.listTasks(request.id);
  if (tasks.length === 0) {
    await endWithoutTasks(tx, deps, request);
    return;
  }
  let scope = { request, tasks };
  for (const task of tasks) {
    if (!endsAtOnce(task)) continue;
    await tx.deleteWorkOf(request.id, task.id);
    scope = await writeStep(tx, { deps, ...scope, task }, cancelledTask(task));
  }
  await tx.redirectWork(request.id, ['submit', 'poll'], 'cancel');
}

function endsAtOnce(task: Task): boolean {
  const allowed: readonly string[] = TASK_TRANSITIONS[task.state];
  return allowed.includes('cancelled') && (task.state === 'pending' || !isOpenTaskState(task.state));
}

async function endWithoutTasks(tx: Transaction, deps: Deps, request: ErasureRequest): Promise<void> {
  await tx.deleteWorkOf(request.id, null);
  await recordEvents(tx, { deps, request }, [requestMoved(request, 'cancelled')]);
  await tx.updateRequest(request.id, requestStatesBefore('cancelled'), {
    state: 'cancelled',
    attention: null,
  });
}
