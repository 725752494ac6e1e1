import { LetheError } from '../domain/errors.ts';
import type { ADMIN_EVENT_TYPES, EventData } from '../domain/events.ts';
import { TEST_EVENT, type CallbackEvent, type DeliveryState } from '../domain/callback.ts';
import type { CallbackView, CallbackWithSecret, DeliveryPageView, DeliveryView } from './callback-schema.ts';
import { callbackViewOf, deliveryViewOf } from './callback-view.ts';
import type { Deps, Transaction } from './ports.ts';
import type { Callback } from './ports/callbacks.ts';
import type { RefusedTarget } from './ports/notify.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/** So many that a slow one never keeps the others waiting; see workers/deliverer.ts. */
const CALLBACKS_MAX = 50;

type Means = Pick<
  Deps,
  'store' | 'vault' | 'encodeEvent' | 'sender' | 'callbackSigner' | 'newId' | 'workIsDue'
>;

export interface CallbackWish {
  readonly name: string;
  readonly url: string;
  readonly events: readonly CallbackEvent[];
}

export interface CallbackChange {
  readonly name?: string | undefined;
  readonly url?: string | undefined;
  readonly events?: readonly CallbackEvent[] | undefined;
  readonly state?: 'active' | 'disabled' | undefined;
}

/** The URL may not be called. Code COMMAND_INVALID. */
export class CallbackTargetError extends LetheError {
  readonly pointer = '/url';
  readonly expected: string;
  constructor(reason: RefusedTarget) {
    super('COMMAND_INVALID', `The callback's URL cannot be called: ${EXPECTED[reason]}.`);
    this.expected = EXPECTED[reason];
  }
}

const EXPECTED: Readonly<Record<RefusedTarget, string>> = {
  not_a_url: 'a URL that starts with https://',
  not_https: 'a URL that starts with https://',
  has_credentials: 'a URL without a user name and a password',
  host_not_allowed: 'a host that outgoing.hosts of the configuration allows',
  address_not_allowed: 'a public address, or one in outgoing.networks of the configuration',
};

/** There are as many callbacks as there may be. Code CALLBACKS_FULL. */
class CallbacksFullError extends LetheError {
  constructor() {
    super('CALLBACKS_FULL', `There are ${CALLBACKS_MAX} callbacks already; delete one first.`);
  }
}

/** Nothing is sent to it. Code CALLBACK_NOT_ACTIVE. */
class CallbackNotActiveError extends LetheError {
  constructor() {
    super('CALLBACK_NOT_ACTIVE', 'The callback is disabled or gone; make it active first.');
  }
}

function assertCallable({ sender }: Pick<Deps, 'sender'>, url: string | undefined): void {
  const reason = url === undefined ? undefined : sender.refusalOf(url);
  if (reason !== undefined) throw new CallbackTargetError(reason);
}

/**
 * Registers a callback.
 *
 * @returns with its secret, which is shown nowhere else
 * @throws CallbackTargetError; CALLBACKS_FULL
 */
export async function createCallback(
  deps: Means,
  wish: CallbackWish,
  apiKeyId: string,
): Promise<CallbackWithSecret> {
  assertCallable(deps, wish.url);
  const id = deps.newId('cb');
  const secret = deps.callbackSigner.newSecret();
  return deps.store.transaction(async (tx) => {
    // One writer of the trail at a time, so that two cannot both be the last that there is room for.
    await tx.lockAdminTrail();
    if ((await tx.countCallbacks()) >= CALLBACKS_MAX) throw new CallbacksFullError();
    const events = [...new Set(wish.events)];
    await tx.insertCallback({
      ...{ id, name: wish.name, events, createdBy: apiKeyId, createdAt: tx.now },
      urlSealed: deps.vault.lasting.sealText(id, wish.url, 'callback_url'),
      secretSealed: deps.vault.lasting.sealText(id, secret, 'callback_secret'),
    });
    await told(tx, deps, { type: 'callback.created', id, apiKeyId, data: { events } });
    return { ...callbackViewOf(deps, await locked(tx, id)), secret };
  });
}

async function locked(tx: Transaction, id: string): Promise<Callback> {
  const callback = await tx.lockCallback(id);
  if (callback === undefined) throw new Error(`callback ${id} went while it was locked`);
  return callback;
}

interface Told {
  readonly type: (typeof ADMIN_EVENT_TYPES)[number];
  readonly id: string;
  readonly apiKeyId: string;
  readonly data?: EventData;
}

/** Neither name nor URL, which are free text. */
async function told(tx: Transaction, deps: Means, { type, id, apiKeyId, data }: Told): Promise<void> {
  const actor = { kind: 'api_key', id: apiKeyId } as const;
  await recordAdminEvent(tx, deps, { type, actor, callbackId: id, ...(data !== undefined && { data }) });
}

export async function listCallbacks(deps: Pick<Deps, 'store' | 'vault'>): Promise<{ items: CallbackView[] }> {
  const callbacks = await deps.store.listCallbacks();
  return { items: callbacks.map((callback) => callbackViewOf(deps, callback)) };
}

export async function showCallback(
  deps: Pick<Deps, 'store' | 'vault'>,
  id: string,
): Promise<CallbackView | undefined> {
  const callback = await deps.store.findCallback(id);
  return callback && callbackViewOf(deps, callback);
}

/** A command on one callback. */
export interface CallbackCommand {
  readonly callbackId: string;
  readonly apiKeyId: string;
}

/**
 * Changes what is given. Made active again, what waited meanwhile is sent.
 *
 * @returns undefined when there is no such callback
 * @throws CallbackTargetError
 */
export async function updateCallback(
  deps: Means,
  { callbackId: id, apiKeyId }: CallbackCommand,
  change: CallbackChange,
): Promise<CallbackView | undefined> {
  assertCallable(deps, change.url);
  const view = await deps.store.transaction(async (tx) => {
    const callback = await tx.lockCallback(id);
    if (callback === undefined) return undefined;
    const changed = changedBy(deps, { callback, change, now: tx.now });
    await tx.updateCallback(changed);
    const fields = Object.entries(change).flatMap(([field, value]) => (value === undefined ? [] : [field]));
    const data = { fields, state: changed.state, events: [...changed.events] };
    await told(tx, deps, { type: 'callback.updated', id, apiKeyId, data });
    return callbackViewOf(deps, changed);
  });
  deps.workIsDue();
  return view;
}

function changedBy(
  { vault }: Pick<Deps, 'vault'>,
  { callback, change, now }: { callback: Callback; change: CallbackChange; now: Date },
): Callback {
  const { name = callback.name, events = callback.events, state = callback.state, url } = change;
  return {
    ...callback,
    ...{ name, state, events: [...new Set(events)] },
    ...(url !== undefined && { urlSealed: vault.lasting.sealText(callback.id, url, 'callback_url') }),
    endedAt: state === 'active' ? null : (callback.endedAt ?? now),
    // Its failures were of the time before.
    ...(state === 'active' && callback.state !== 'active' && { failingSince: null }),
  };
}

/** Ends a callback for good, with its deliveries and their log; the trail keeps that it was there. */
export async function deleteCallback(
  deps: Means,
  { callbackId: id, apiKeyId }: CallbackCommand,
): Promise<CallbackView | undefined> {
  return deps.store.transaction(async (tx) => {
    const callback = await tx.lockCallback(id);
    if (callback === undefined) return undefined;
    const view = callbackViewOf(deps, callback);
    await tx.deleteCallback(id);
    await told(tx, deps, { type: 'callback.deleted', id, apiKeyId });
    return view;
  });
}

/**
 * Gives a callback a new secret. For `graceSeconds` more is signed with the one before too; one from before that is used no
 * more.
 *
 * @returns with its new secret, which is shown nowhere else
 */
export async function rotateCallbackSecret(
  deps: Means,
  { callbackId: id, apiKeyId }: CallbackCommand,
  graceSeconds: number,
): Promise<CallbackWithSecret | undefined> {
  const secret = deps.callbackSigner.newSecret();
  return deps.store.transaction(async (tx) => {
    const callback = await tx.lockCallback(id);
    if (callback === undefined) return undefined;
    const keepsOld = graceSeconds > 0;
    const rotated: Callback = {
      ...callback,
      secretSealed: deps.vault.lasting.sealText(id, secret, 'callback_secret'),
      oldSecretSealed: keepsOld ? callback.secretSealed : null,
      oldSecretUntil: keepsOld ? new Date(tx.now.getTime() + graceSeconds * 1_000) : null,
    };
    await tx.updateCallback(rotated);
    const data = { grace_seconds: graceSeconds };
    await told(tx, deps, { type: 'callback.secret_rotated', id, apiKeyId, data });
    return { ...callbackViewOf(deps, rotated), secret };
  });
}

/**
 * Sends a `callback.test`, as any event is sent.
 *
 * @throws CALLBACK_NOT_ACTIVE
 */
export async function testCallback(
  deps: Means,
  { callbackId, apiKeyId }: CallbackCommand,
): Promise<DeliveryView | undefined> {
  return withActive(deps, callbackId, async (tx) => {
    const id = deps.newId('dl');
    const delivery = await tx.insertTestDelivery({ id, callbackId, type: TEST_EVENT });
    await told(tx, deps, { type: 'callback.tested', id: callbackId, apiKeyId, data: { delivery_id: id } });
    return deliveryViewOf(delivery);
  });
}

/**
 * Begins a delivery anew, delivered or not, with the same `webhook-id`.
 *
 * @returns undefined when there is no such callback, or no such delivery of it
 * @throws CALLBACK_NOT_ACTIVE
 */
export async function redeliver(
  deps: Means,
  { callbackId, apiKeyId, deliveryId }: CallbackCommand & { readonly deliveryId: string },
): Promise<DeliveryView | undefined> {
  return withActive(deps, callbackId, async (tx) => {
    const delivery = await tx.lockDelivery(deliveryId);
    if (delivery?.callbackId !== callbackId) return undefined;
    const data = { delivery_id: deliveryId };
    await told(tx, deps, { type: 'callback.redelivered', id: callbackId, apiKeyId, data });
    return deliveryViewOf(await tx.redeliver(deliveryId));
  });
}

async function withActive(
  deps: Means,
  callbackId: string,
  act: (tx: Transaction) => Promise<DeliveryView | undefined>,
): Promise<DeliveryView | undefined> {
  const view = await deps.store.transaction(async (tx) => {
    const callback = await tx.lockCallback(callbackId);
    if (callback === undefined) return undefined;
    if (callback.state !== 'active') throw new CallbackNotActiveError();
    return act(tx);
  });
  deps.workIsDue();
  return view;
}

export interface DeliveryQuery {
  readonly state?: DeliveryState | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

/** The deliveries of a callback, newest first; undefined when there is no such callback. */
export async function listCallbackDeliveries(
  deps: Pick<Deps, 'store'>,
  callbackId: string,
  query: DeliveryQuery,
): Promise<DeliveryPageView | undefined> {
  if ((await deps.store.findCallback(callbackId)) === undefined) return undefined;
  const found = await deps.store.listSentDeliveries({ ...query, of: { callbackId }, limit: query.limit + 1 });
  const items = found.slice(0, query.limit).map(deliveryViewOf);
  return { items, nextCursor: found.length > query.limit ? (items.at(-1)?.id ?? null) : null };
}
