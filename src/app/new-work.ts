import type { ErasureRequest } from '../domain/request.ts';
import type { Task } from '../domain/task.ts';
import type { Deps, NewWork } from './ports.ts';

/**
 * The work of finding a request's subject, due now or when its cooling-off time ends. A request of every connection is
 * worked on in the queue of the first.
 */
export function discoverWork(deps: Pick<Deps, 'connections'>, request: ErasureRequest, now: Date): NewWork {
  const connection = request.connection ?? [...deps.connections.keys()][0];
  if (connection === undefined) throw new Error('no connection is configured');
  const cooling = request.state === 'cooling_off' && request.coolingOffUntil !== null;
  const at = cooling ? request.coolingOffUntil.getTime() : now.getTime();
  return {
    requestId: request.id,
    taskId: null,
    connection,
    projectKey: null,
    next: { kind: 'discover', at, reason: cooling ? 'cooling_off' : 'queued', attempts: 0 },
  };
}

/** The work of submitting each of these tasks, due now. */
export function submitWork(tasks: readonly Task[], now: Date): readonly NewWork[] {
  return tasks.map(({ id: taskId, requestId, connection, projectKey }) => ({
    requestId,
    taskId,
    connection,
    projectKey,
    next: { kind: 'submit', at: now.getTime(), reason: 'queued', attempts: 0 },
  }));
}
