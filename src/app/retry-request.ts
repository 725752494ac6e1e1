import { LetheError } from '../domain/errors.ts';
import { requestMoved, type ErasureRequest } from '../domain/request.ts';
import { decide, requireState, type Deciding, type Decision } from './decide.ts';
import { discoverWork, submitWork } from './new-work.ts';
import { encodeEvents } from './encode-events.ts';
import { gatherAgain } from './gather-again.ts';
import { goOn } from './make-package.ts';
import type { Deps } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/** None of the request's tasks can be tried again: an id that can never be sent stays one. Code NOTHING_TO_RETRY. */
export class NothingToRetryError extends LetheError {
  constructor() {
    super('NOTHING_TO_RETRY', 'No task of this request can be tried again; cancel or close it.');
  }
}

/**
 * Has Lethe try again what needs a person: tasks that failed or left something begin another round; a request without
 * tasks has its subject looked for again.
 *
 * @param decision.expectedTasks how many tasks discovery is to make: a person's answer to unexpected matches
 * @param decision.acceptIncomplete goes on with an access package that lacks something, in place of gathering it again
 * @throws RequestStateForbidsError when the request needs no person, NothingToRetryError
 */
export async function retryRequest(
  deps: Deps,
  decision: Decision & { expectedTasks?: number | undefined; acceptIncomplete?: boolean | undefined },
): Promise<RequestView | undefined> {
  return decide(deps, { ...decision, kind: 'retried' }, async (deciding) => {
    requireState(deciding.scope, 'be tried again', ['needs_attention']);
    const incomplete = deciding.scope.request.attention === 'package_incomplete';
    if (incomplete) await resumeAccess(deps, deciding, decision.acceptIncomplete ?? false);
    else if (deciding.scope.tasks.length === 0) await searchAgain(deps, deciding, decision.expectedTasks);
    else await eraseAgain(deps, deciding);
    return true;
  });
}

async function searchAgain(
  deps: Deps,
  { tx, scope: { request }, actor }: Deciding,
  expectedTasks: number | undefined,
): Promise<void> {
  const data = expectedTasks === undefined ? {} : { expected_tasks: expectedTasks };
  const patch = {
    state: 'discovering' as const,
    attention: null,
    ...(expectedTasks !== undefined && { expectedTasks }),
  };
  await tx.write(request.id, {
    request: { from: ['needs_attention'], patch },
    events: encodeEvents(deps, { request, now: tx.now }, [
      requestMoved(request, 'discovering', { actor, data }),
    ]),
  });
  await tx.insertWork([discoverWork(deps, { ...request, ...patch }, tx.now)]);
}

async function eraseAgain(deps: Deps, { tx, scope, actor }: Deciding): Promise<void> {
  const { request } = scope;
  const again = scope.tasks.filter((task) => task.state === 'failed' || task.state === 'residue');
  if (again.length === 0) throw new NothingToRetryError();
  const moved = requestMoved(request, 'erasing', { actor });
  await tx.write(request.id, {
    request: { from: ['needs_attention'], patch: { state: 'erasing', attention: null } },
    events: encodeEvents(deps, { request, now: tx.now }, [moved]),
  });
  for (const [index, task] of again.entries()) {
    const trail: ErasureRequest = { ...request, eventCount: request.eventCount + 1 + index };
    await tx.write(request.id, {
      task: { id: task.id, from: [task.state], patch: { state: 'pending', attention: null } },
      events: encodeEvents(deps, { request: trail, now: tx.now }, [
        {
          type: 'task.retried',
          actor,
          taskId: task.id,
          change: { from: task.state, to: 'pending' },
        },
      ]),
    });
  }
  await tx.insertWork(submitWork(again, tx.now));
}

async function resumeAccess(deps: Deps, { tx, scope, actor }: Deciding, accept: boolean): Promise<void> {
  const kept = await tx.findPackage(scope.request.id);
  // What has expired was given to nobody, and cannot be accepted: an erasure would take the last copy.
  if (accept && kept?.state !== 'expired') await goOn(tx, deps, { scope, incomplete: false, actor });
  else await gatherAgain(tx, deps, { scope, actor });
}
