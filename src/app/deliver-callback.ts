import { stateToldBy } from '../domain/callback.ts';
import { deliveryStep } from '../domain/delivery-step.ts';
import { LETHE } from '../domain/events.ts';
import { attemptOf } from './ports/attempt-of.ts';
import type { Deps } from './ports.ts';
import type { Callback, Settlement, TakenDelivery } from './ports/callbacks.ts';
import type { SendOutcome } from './ports/notify.ts';
import { recordAdminEvent } from './record-admin-event.ts';

type Means = Pick<Deps, 'store' | 'vault' | 'encodeEvent' | 'sender' | 'callbackSigner' | 'log'>;

/** Sends an event to a callback once, and writes what came of it under the delivery's lease. */
export async function deliverCallback(
  deps: Means,
  delivery: TakenDelivery & { callbackId: string },
): Promise<void> {
  const callback = await deps.store.findCallback(delivery.callbackId);
  // Deleted or ended since: its deliveries go with it, or wait for it to be active again.
  if (callback?.state !== 'active') return;
  const begun = performance.now();
  const sent = attemptOf(await send(deps, callback, delivery));
  // The receiver wants nothing more.
  const { outcome, status } = sent.status === 410 ? { ...sent, outcome: 'gone' as const } : sent;
  const durationMs = Math.round(performance.now() - begun);
  const step = deliveryStep(outcome, delivery.attempts);
  await settle(deps, { delivery, attempt: { outcome, status, durationMs }, step });
}

async function send(deps: Means, callback: Callback, delivery: TakenDelivery): Promise<SendOutcome> {
  const { id, urlSealed } = callback;
  const body = Buffer.from(JSON.stringify(bodyOf(delivery)), 'utf8');
  const timestampS = Math.floor(delivery.takenAt.getTime() / 1_000);
  const message = { id: delivery.id, timestampS, body };
  return deps.sender.send({
    method: 'POST',
    url: deps.vault.lasting.openText(id, urlSealed, 'callback_url'),
    headers: {
      'content-type': 'application/json',
      'webhook-id': delivery.id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': deps.callbackSigner.sign(secretsOf(deps, callback, delivery.takenAt), message),
    },
    body,
  });
}

/** The new one first. Until the grace time is over, a receiver that has either of them can check what it gets. */
function secretsOf({ vault }: Means, callback: Callback, now: Date): readonly string[] {
  const { id, secretSealed, oldSecretSealed, oldSecretUntil } = callback;
  const sealed = [secretSealed];
  if (oldSecretSealed !== null && oldSecretUntil !== null && oldSecretUntil > now)
    sealed.push(oldSecretSealed);
  return sealed.map((one) => vault.lasting.openText(id, one, 'callback_secret'));
}

/** Ids and states, and the same bytes at each attempt. No identifier, no reference, no text of anybody's. */
function bodyOf({ type, createdAt, requestId, eventSeq, callbackId }: TakenDelivery): object {
  const state = stateToldBy(type);
  const data =
    requestId === null ? { callbackId } : { requestId, eventSeq, ...(state !== undefined && { state }) };
  return { type, timestamp: createdAt.toISOString(), data };
}

async function settle(deps: Means, settlement: Settlement): Promise<void> {
  const { delivery, step } = settlement;
  await deps.store.transaction(async (tx) => {
    const callback = await tx.lockCallback(delivery.callbackId ?? '');
    if (callback === undefined || !(await tx.settleDelivery(settlement))) return;
    const after = callbackAfter(callback, settlement, tx.now);
    await tx.updateCallback(after);
    if (after.state === callback.state) return;
    const type = step.next === 'failed' && step.gone ? 'callback.gone' : 'callback.disabled';
    const data = { delivery_id: delivery.id };
    await recordAdminEvent(tx, deps, { type, actor: LETHE, callbackId: callback.id, data });
    deps.log.warn(
      { callbackId: callback.id, deliveryId: delivery.id, type },
      'nothing more is sent to a callback',
    );
  });
}

/** One that answered nothing but failures for as long as a whole schedule lasts gets nothing more until a person says so. */
function callbackAfter(callback: Callback, { delivery, step }: Settlement, now: Date): Callback {
  if (step.next === 'delivered') return { ...callback, lastSuccessAt: now, failingSince: null };
  const failingSince = callback.failingSince ?? now;
  if (step.next === 'again' || callback.state !== 'active') return { ...callback, failingSince };
  const { lastSuccessAt } = callback;
  const failedAllAlong = lastSuccessAt === null || lastSuccessAt < delivery.createdAt;
  if (!step.gone && !failedAllAlong) return { ...callback, failingSince };
  return { ...callback, failingSince, state: step.gone ? 'gone' : 'disabled', endedAt: now };
}
