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
import { movingRequest } from './closing.ts';
import { writeStep, type RequestTasks } from './commit-task-step.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps, Transaction } from './ports.ts';
import type { RequestView } from './request-schema.ts';
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
  await deps.store.withRequest(command.requestId, async (tx, scope) => {
    if (scope?.request.cancelRequestedAt !== null) return;
    const { request, tasks } = scope;
    if (isTerminalRequestState(request.state)) throw new RequestClosedError(request.state);
    const actor: Actor = { kind: 'api_key', id: command.apiKeyId };
    const events = encodeEvents(deps, { request, now: tx.now }, [
      { type: 'request.cancel_requested', actor },
    ]);
    const patch = { cancelRequestedAt: tx.now };
    await tx.write(request.id, { request: { from: [request.state], patch }, events });
    const eventCount = request.eventCount + events.length;
    await cancelTasks(tx, deps, { request: { ...request, ...patch, eventCount }, tasks, actor });
    const by = { decidedBy: command.apiKeyId, decidedAt: tx.now };
    await tx.insertDecision({
      requestId: request.id,
      kind: 'cancelled',
      ground: null,
      textSealed: null,
      ...by,
    });
  });
  deps.workIsDue();
  return showRequest(deps, command.requestId);
}

/**
 * Tasks of which nothing runs at OpenReplay end at once. What has been submitted, or is in a worker's hands, is
 * left to the workers: the work that waits becomes a cancelling, and the one who holds work sees the wish when
 * it writes its outcome. A job that is already being verified is past cancelling.
 */
async function cancelTasks(
  tx: Transaction,
  deps: Deps,
  { request, tasks, actor }: RequestTasks & { actor: Actor },
): Promise<void> {
  if (tasks.length === 0) {
    await endWithoutTasks(tx, deps, request);
    return;
  }
  // Its data goes; who still asks for access asks anew.
  let now: RequestTasks = { request: await withdrawPackage(tx, deps, { request, actor }), tasks };
  for (const task of tasks) {
    if (!endsAtOnce(task)) continue;
    await tx.deleteWorkOf(request.id, task.id);
    now = (await writeStep(tx, { deps, ...now, task }, cancelledTask(task))) ?? now;
  }
  await tx.redirectWork(request.id, { from: ['submit', 'poll'], to: 'cancel' });
}

async function withdrawPackage(
  tx: Transaction,
  deps: Deps,
  { request, actor }: { request: ErasureRequest; actor: Actor },
): Promise<ErasureRequest> {
  if (!(await tx.endPackage(request.id, 'withdrawn'))) return request;
  await tx.deleteWorkOf(request.id, null);
  const events = encodeEvents(deps, { request, now: tx.now }, [{ type: 'package.withdrawn', actor }]);
  await tx.write(request.id, { events });
  return { ...request, eventCount: request.eventCount + events.length };
}

function endsAtOnce(task: Task): boolean {
  const allowed: readonly string[] = TASK_TRANSITIONS[task.state];
  return allowed.includes('cancelled') && (task.state === 'pending' || !isOpenTaskState(task.state));
}

async function endWithoutTasks(tx: Transaction, deps: Deps, request: ErasureRequest): Promise<void> {
  await tx.deleteWorkOf(request.id, null);
  await tx.write(request.id, {
    ...movingRequest(
      deps,
      { request, now: tx.now },
      {
        from: requestStatesBefore('cancelled'),
        patch: { state: 'cancelled', attention: null, heldFrom: null, heldBy: null },
      },
    ),
    events: encodeEvents(deps, { request, now: tx.now }, [requestMoved(request, 'cancelled')]),
  });
}
