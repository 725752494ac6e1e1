import type { CallbackView, DeliveryView } from './callback-schema.ts';
import type { Deps } from './ports.ts';
import type { Callback, Delivery, DeliveryWithAttempts } from './ports/callbacks.ts';

export function callbackViewOf({ vault }: Pick<Deps, 'vault'>, callback: Callback): CallbackView {
  const { id, name, events, state, createdBy } = callback;
  const text = (at: Date | null) => at?.toISOString() ?? null;
  return {
    ...{ id, name, events: [...events], state, createdBy },
    url: vault.lasting.openText(id, callback.urlSealed, 'callback_url'),
    createdAt: callback.createdAt.toISOString(),
    endedAt: text(callback.endedAt),
    lastSuccessAt: text(callback.lastSuccessAt),
    failingSince: text(callback.failingSince),
    oldSecretUntil: text(callback.oldSecretUntil),
  };
}

export function deliveryViewOf(delivery: Delivery & Partial<DeliveryWithAttempts>): DeliveryView {
  const { id, type, requestId, eventSeq, state, log = [] } = delivery;
  return {
    ...{ id, type, requestId, eventSeq, state },
    createdAt: delivery.createdAt.toISOString(),
    nextAttemptAt: delivery.runAt?.toISOString() ?? null,
    settledAt: delivery.settledAt?.toISOString() ?? null,
    attempts: log.map(({ at, ...attempt }) => ({ at: at.toISOString(), ...attempt })),
  };
}
