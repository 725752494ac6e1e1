import type { ErasureRequest } from '../domain/request.ts';
import type { Task } from '../domain/task.ts';
import type { WorkKind } from '../domain/work.ts';
import type { Deps, NewWork } from './ports.ts';

/**
 * The work of finding a request's subject, due now or when its cooling-off time ends. A request of every connection is
 * worked on in the queue of the first.
 */
export function discoverWork(deps: Pick<Deps, 'connections'>, request: ErasureRequest, now: Date): NewWork {
  const cooling = request.state === 'cooling_off' && request.coolingOffUntil !== null;
  const at = cooling ? request.coolingOffUntil.getTime() : now.getTime();
  return {
    ...ofWholeRequest(deps, request),
    next: { kind: 'discover', at, reason: cooling ? 'cooling_off' : 'queued', attempts: 0 },
  };
}

function ofWholeRequest(
  deps: Pick<Deps, 'connections'>,
  request: Pick<ErasureRequest, 'id' | 'connection'>,
): Omit<NewWork, 'next'> {
  const connection = request.connection ?? [...deps.connections.keys()][0];
  if (connection === undefined) throw new Error('no connection is configured');
  return { requestId: request.id, taskId: null, connection, projectKey: null };
}

/** The work of putting a package together once everything is gathered, due now. */
export function packageWork(
  deps: Pick<Deps, 'connections'>,
  request: Pick<ErasureRequest, 'id' | 'connection'>,
  now: Date,
): NewWork {
  const next = { kind: 'package', at: now.getTime(), reason: 'queued', attempts: 0 } as const;
  return { ...ofWholeRequest(deps, request), next };
}

/** The work of destroying the identifiers of a request that is closed now, due when they have been kept long enough. */
export function destroyWork(
  deps: Pick<Deps, 'connections' | 'retentionMs'>,
  request: Pick<ErasureRequest, 'id' | 'connection'>,
  now: Date,
): NewWork {
  const at = now.getTime() + deps.retentionMs;
  return {
    ...ofWholeRequest(deps, request),
    next: { kind: 'destroy', at, reason: 'retention', attempts: 0 },
  };
}

/** The work of submitting each of these tasks, due now. */
export function submitWork(tasks: readonly Task[], now: Date): readonly NewWork[] {
  return tasks.map((task) => workOf(task, 'submit', now));
}

/** The work of gathering what there is of each of these tasks, due now. */
export function gatherWork(tasks: readonly Task[], now: Date): readonly NewWork[] {
  return tasks.map((task) => workOf(task, 'gather', now));
}

function workOf(task: Task, kind: WorkKind, now: Date): NewWork {
  const { id: taskId, requestId, connection, projectKey } = task;
  const next = { kind, at: now.getTime(), reason: 'queued', attempts: 0 } as const;
  return { requestId, taskId, connection, projectKey, next };
}
