import { LetheError } from '../domain/errors.ts';
import { requestStatesBefore } from '../domain/states.ts';
import { decide, requireState, type Decision } from './decide.ts';
import { encodeEvents } from './encode-events.ts';
import { putOnHold, takeOffHold } from './hold.ts';
import type { Deps } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/** A standing hold on the subject keeps the request; it has to be released first. Code HOLD_STANDS. */
export class HoldStandsError extends LetheError {
  constructor() {
    super('HOLD_STANDS', 'A standing hold on the subject keeps this request; release that hold first.');
  }
}

/** Who asks for access alone loses nothing by it, so there is nothing to hold. Code NOTHING_TO_HOLD. */
export class NothingToHoldError extends LetheError {
  constructor() {
    super('NOTHING_TO_HOLD', 'The request asks for access alone: nothing is deleted for it.');
  }
}

/**
 * Puts a request on legal hold: nothing more is submitted, and jobs not yet run are called back. A person's hold on what
 * a standing hold keeps already needs a person's release from then on. What is being gathered for the subject goes on.
 *
 * @throws RequestStateForbidsError when the request is closed, NothingToHoldError
 */
export async function holdRequest(deps: Deps, decision: Decision): Promise<RequestView | undefined> {
  return decide(deps, { ...decision, kind: 'held' }, async ({ tx, scope, actor }) => {
    const { request } = scope;
    if (request.type === 'access') throw new NothingToHoldError();
    if (request.state !== 'on_hold') {
      requireState(scope, 'be put on hold', requestStatesBefore('on_hold'));
      return putOnHold(tx, deps, { request, heldBy: 'person', actor });
    }
    if (request.heldBy === 'person') return false;
    await tx.write(request.id, {
      request: { from: ['on_hold'], patch: { heldBy: 'person' } },
      events: encodeEvents(deps, { request, now: tx.now }, [{ type: 'request.hold_confirmed', actor }]),
    });
    return true;
  });
}

/**
 * Releases a request from a hold; it goes on where it was.
 *
 * @throws HoldStandsError, RequestStateForbidsError when it is not on hold
 */
export async function releaseRequest(deps: Deps, decision: Decision): Promise<RequestView | undefined> {
  return decide(deps, { ...decision, kind: 'released' }, async ({ tx, scope, actor }) => {
    requireState(scope, 'be released', ['on_hold']);
    if (scope.standingHold) throw new HoldStandsError();
    await takeOffHold(tx, deps, { request: scope.request, tasks: scope.tasks, actor });
    return true;
  });
}
