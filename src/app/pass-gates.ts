import type { EventDraft } from '../domain/events.ts';
import { gateOf, type Gate } from '../domain/gate.ts';
import { requestMoved, type ErasureRequest } from '../domain/request.ts';
import { discoverWork } from './new-work.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps, RequestPatch, Transaction } from './ports.ts';

/**
 * Writes what a person did for a request, and takes it as far as its gates now let it; when none is left, its subject is
 * looked for.
 *
 * @param by.request as it is with what the person did, but for its state
 */
export async function passGates(
  tx: Transaction,
  deps: Deps,
  by: { request: ErasureRequest; patch: RequestPatch; drafts: readonly EventDraft[] },
): Promise<void> {
  const { request, drafts } = by;
  const to = gateOf(request, tx.now);
  const stays = to === request.state || request.state === 'on_hold';
  const moved = stays ? by.patch : { ...by.patch, ...entering(to, request, tx.now) };
  const events = stays ? drafts : [...drafts, requestMoved(request, to)];
  await tx.write(request.id, {
    request: { from: [request.state], patch: moved },
    events: encodeEvents(deps, { request, now: tx.now }, events),
  });
  if (!stays && (to === 'cooling_off' || to === 'discovering')) {
    await tx.insertWork([discoverWork(deps, { ...request, ...moved }, tx.now)]);
  }
}

function entering(to: Gate, { coolingOffMs }: ErasureRequest, now: Date): RequestPatch {
  if (to !== 'cooling_off') return { state: to };
  return { state: to, coolingOffUntil: new Date(now.getTime() + coolingOffMs) };
}
