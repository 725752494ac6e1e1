import type pg from 'pg';
import type { CallbackStore, CallbackTransaction } from '../app/ports/callbacks.ts';
import * as callbacks from './callbacks.ts';
import { available, type Queryable } from './connection.ts';
import * as deliveries from './callback-deliveries.ts';

/** Callbacks and deliveries, as part of the store. */
export function callbackStore(pool: pg.Pool): CallbackStore {
  return {
    listCallbacks: () => available(callbacks.listCallbacks(pool)),
    findCallback: (id) => available(callbacks.findCallback(pool, id)),
    listSentDeliveries: (page) => available(deliveries.listSentDeliveries(pool, page)),
    takeDueDeliveries: (limits) => available(deliveries.takeDueDeliveries(pool, limits)),
    tidyDeliveries: (keepMs) => available(deliveries.tidyDeliveries(pool, keepMs)),
    setReplyTargets: (names) => available(deliveries.setReplyTargets(pool, names)),
    hasEvent: (requestId, type) => available(deliveries.hasEvent(pool, requestId, type)),
  };
}

/** And as part of a transaction. */
export function callbackTransaction(db: Queryable): CallbackTransaction {
  return {
    insertCallback: (callback) => callbacks.insertCallback(db, callback),
    countCallbacks: () => callbacks.countCallbacks(db),
    hasEvent: (requestId, type) => deliveries.hasEvent(db, requestId, type),
    lockCallback: (id) => callbacks.lockCallback(db, id),
    updateCallback: (callback) => callbacks.updateCallback(db, callback),
    deleteCallback: (id) => callbacks.deleteCallback(db, id),
    insertTestDelivery: (delivery) => deliveries.insertTestDelivery(db, delivery),
    lockDelivery: (id) => deliveries.lockDelivery(db, id),
    redeliver: (id) => deliveries.redeliver(db, id),
    settleDelivery: (settlement) => deliveries.settleDelivery(db, settlement),
    dropDelivery: (delivery) => deliveries.dropDelivery(db, delivery),
    intendReply: (delivery) => deliveries.intendReply(db, delivery),
  };
}
