import type { Actor, EventData } from '../domain/events.ts';
import { gateOf, isBeforeDiscovery } from '../domain/gate.ts';
import { mayErase, requestMoved, rollUp, type ErasureRequest } from '../domain/request.ts';
import { requestStatesBefore, type RequestState } from '../domain/states.ts';
import type { RequestTasks } from './commit-task-step.ts';
import { movingRequest, type ClosingDeps } from './closing.ts';
import { discoverWork, submitWork } from './new-work.ts';
import { encodeEvents } from './encode-events.ts';
import type { Change, Deps, NewWork, Transaction } from './ports.ts';

export interface Holding {
  readonly heldBy: NonNullable<ErasureRequest['heldBy']>;
  readonly actor: Actor;
  readonly data?: EventData;
  /** Work in the caller's hands that is not to be done now. */
  readonly work?: Change['work'];
}

/**
 * Puts a request on hold: nothing more of it is submitted, and jobs that OpenReplay has not ended are called back. Work
 * in a worker's hands sees the hold when its outcome is written.
 *
 * @returns false when the caller's work is no longer its own
 */
export async function putOnHold(
  tx: Transaction,
  deps: Pick<Deps, 'encodeEvent'>,
  of: Holding & { request: ErasureRequest },
): Promise<boolean> {
  const { request, heldBy, actor, data, work } = of;
  const moved = requestMoved(request, 'on_hold', { actor, data: { ...data, held_by: heldBy } });
  const written = await tx.write(request.id, {
    ...(work && { work }),
    request: {
      from: requestStatesBefore('on_hold'),
      patch: { state: 'on_hold', heldFrom: request.state, heldBy },
    },
    events: encodeEvents(deps, { request, now: tx.now }, [moved]),
  });
  if (!written) return false;
  await tx.deleteUnbegunWork(request.id);
  // A submission that is left has no answer yet: whether it arrived, only the cancelling finds out.
  await tx.redirectWork(request.id, { from: ['submit', 'poll'], to: 'cancel' });
  return true;
}

/** Takes a request off hold: it goes on where it was, or as far as its gates let it by now. */
export async function takeOffHold(
  tx: Transaction,
  deps: Deps,
  of: RequestTasks & { actor: Actor; data?: EventData },
): Promise<void> {
  const { request, tasks, actor, data } = of;
  const goes = onward(request, tx.now);
  await tx.write(request.id, {
    request: { from: ['on_hold'], patch: goes.patch },
    events: encodeEvents(deps, { request, now: tx.now }, [
      requestMoved(request, goes.to, { actor, data: { ...data, released: true } }),
    ]),
  });
  const after: ErasureRequest = { ...request, ...goes.patch, eventCount: request.eventCount + 1 };
  if (request.cancelRequestedAt === null) await stopCallingBack(tx, request.id);
  await tx.restoreWork(workLeft(deps, { request: after, tasks, now: tx.now }));
  await followTasks(tx, deps, { request: after, tasks });
}

/** What a hold has not called back yet goes on: a job is waited for, a submission without an answer is resumed. */
async function stopCallingBack(tx: Transaction, requestId: string): Promise<void> {
  await tx.redirectWork(requestId, { from: ['cancel'], to: 'poll', of: 'submitted' });
  await tx.redirectWork(requestId, { from: ['cancel'], to: 'submit', of: 'submitting' });
}

/** Where a held request goes on. */
function onward(request: ErasureRequest, now: Date) {
  const { heldFrom, coolingOffUntil, coolingOffMs } = request;
  const to = heldFrom !== null && isBeforeDiscovery(heldFrom) ? gateOf(request, now) : heldFrom;
  if (to === null || to === 'received')
    throw new Error(`request ${request.id} was held from ${to ?? 'nowhere'}`);
  const begins = to === 'cooling_off' && coolingOffUntil === null;
  const patch = {
    state: to,
    heldFrom: null,
    heldBy: null,
    ...(begins && { coolingOffUntil: new Date(now.getTime() + coolingOffMs) }),
  };
  return { to, patch };
}

/** The tasks may have come to their end meanwhile. */
async function followTasks(
  tx: Transaction,
  deps: ClosingDeps,
  { request, tasks }: RequestTasks,
): Promise<void> {
  const move = rollUp(request, tasks);
  if (move === undefined) return;
  const completed = move.to === 'completed' && { completedAt: tx.now, outcome: 'erased' as const };
  await tx.write(request.id, {
    ...movingRequest(
      deps,
      { request, now: tx.now },
      { from: [request.state], patch: { state: move.to, attention: move.attention, ...completed } },
    ),
    events: encodeEvents(deps, { request, now: tx.now }, [move.event]),
  });
}

const WITH_DISCOVERY: readonly RequestState[] = ['cooling_off', 'discovering'];

/** What a request that goes on has to have done. */
function workLeft(deps: Deps, of: RequestTasks & { now: Date }): readonly NewWork[] {
  const { request, tasks, now } = of;
  if (WITH_DISCOVERY.includes(request.state)) return [discoverWork(deps, request, now)];
  // Gathering went on meanwhile; and what is not to be erased yet is not submitted.
  if (!mayErase(request)) return [];
  return submitWork(
    tasks.filter((task) => task.state === 'pending'),
    now,
  );
}
