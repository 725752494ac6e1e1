import type pg from 'pg';
import type { RequestScope, RequestWithTasks, Store, Transaction } from '../app/ports.ts';
import type { ImportTransaction } from '../app/ports/imports.ts';
import type { IntakeStore, IntakeTransaction } from '../app/ports/intake.ts';
import type { KeyTransaction } from '../app/ports/keys.ts';
import type { LifeTransaction } from '../app/ports/life.ts';
import type { PackageStore, PackageTransaction } from '../app/ports/packages.ts';
import type { VaultStore, VaultTransaction } from '../app/ports/vault.ts';
import type { ErasureRequest } from '../domain/request.ts';
import * as adminEvents from './admin-events.ts';
import * as apiKeys from './api-keys.ts';
import { callbackStore, callbackTransaction } from './callback-ports.ts';
import { writeChange } from './changes.ts';
import * as connectionStates from './connection-states.ts';
import { available, inTransaction, queryAll, type Queryable, type Rows } from './connection.ts';
import { listReplyStates } from './reply-states.ts';
import * as decisions from './decisions.ts';
import * as deliveries from './deliveries.ts';
import * as events from './events.ts';
import * as holds from './holds.ts';
import * as idempotencyKeys from './idempotency-keys.ts';
import * as importRows from './import-rows.ts';
import * as imports from './imports.ts';
import { countUse, useApiKey } from './key-use.ts';
import * as newRequests from './new-requests.ts';
import * as packages from './packages.ts';
import * as requests from './requests.ts';
import * as subjects from './subjects.ts';
import * as tasks from './tasks.ts';
import * as vaultKeys from './vault-keys.ts';
import * as tickets from './tickets.ts';
import * as work from './work.ts';

/** The store on a pool of Postgres connections. Every failure to reach the database is a StoreUnavailableError. */
export function createStore(pool: pg.Pool): Store {
  return {
    transaction: (use) => inTransaction(pool, (db, now) => use(openTransaction(db, now))),
    withRequest: (id, use) =>
      inTransaction(
        pool,
        (db, now, opened) => use(openTransaction(db, now), readScope(opened)),
        scopeSql(id, { lock: true }),
      ),
    findScope: async (id) => readScope(await available(queryAll(pool, scopeSql(id, { lock: false })))),
    findRequest: async (id) => {
      const request = await available(requests.findRequest(pool, id));
      return request && (await available(withTasks(pool, [request])))[0];
    },
    listRequests: async (filter) =>
      available(withTasks(pool, await available(requests.listRequests(pool, filter)))),
    listOpenByDue: async (filter) =>
      available(withTasks(pool, await available(requests.listOpenByDue(pool, filter)))),
    listObservedRounds: (connections, perConnection) =>
      available(tasks.listObservedRounds(pool, connections, perConnection)),
    listEventBytes: (requestId, page) => available(events.listEventBytes(pool, { requestId, ...page })),
    takeWork: (leases, holdMs) => available(work.takeWork(pool, leases, holdMs)),
    delayWork: (works, reason) => available(work.delayWork(pool, works, reason)),
    mayDelete: (lease) => available(work.mayDelete(pool, lease)),
    deleteWork: (lease) => available(work.deleteWork(pool, lease)),
    listTasksById: (ids) => available(tasks.listTasksById(pool, ids)),
    claimDueWork: (limits) => available(work.claimDueWork(pool, limits)),
    renewLeases: (leases, holdMs) => available(work.renewLeases(pool, leases, holdMs)),
    releaseLeases: (leases) => available(work.renewLeases(pool, leases, 0)),
    listOpenRequestsOf: (refs) => available(subjects.listOpenRequestsOf(pool, refs)),
    listHeldRequestsOf: (ref) => available(subjects.listHeldRequestsOf(pool, ref)),
    listDecisions: (requestId) => available(decisions.listDecisions(pool, requestId)),
    listConnectionStates: (names) => available(connectionStates.listConnectionStates(pool, names)),
    listHolds: (filter) => available(holds.listHolds(pool, filter)),
    findImport: (id) => available(imports.findImport(pool, id)),
    listImports: (filter) => available(imports.listImports(pool, filter)),
    listImportErrors: (id, page) => available(importRows.listRowErrors(pool, { importId: id, ...page })),
    ...packageStore(pool),
    useApiKey: (use) => available(useApiKey(pool, use)),
    countUse: (bucket, limit) => available(countUse(pool, bucket, limit)),
    listApiKeys: () => available(apiKeys.listApiKeys(pool)),
    listAdminEventBytes: (page) => available(adminEvents.listAdminEventBytes(pool, page)),
    ...intakeStore(pool),
    ...vaultStore(pool),
    ...callbackStore(pool),
    ping: async () => {
      await available(pool.query('SELECT 1'));
    },
  };
}

function openTransaction(db: Queryable, now: Date): Transaction {
  return {
    now,
    insertRequests: (rows) => newRequests.insertRequests(db, rows),
    insertTasks: (rows) => tasks.insertTasks(db, rows),
    insertWork: (rows) => work.insertWork(db, rows),
    write: (requestId, change) => writeChange(db, requestId, change),
    redirectWork: (requestId, change) => work.redirectWork(db, requestId, change),
    restoreWork: (rows) => work.restoreWork(db, rows),
    deleteUnbegunWork: (requestId) => work.deleteUnbegunWork(db, requestId),
    deleteWorkOf: (requestId, taskId) => work.deleteWorkOf(db, requestId, taskId),
    reserveAnswer: (key, fingerprint) => idempotencyKeys.reserveAnswer(db, key, fingerprint),
    fillAnswer: (key, answer) => idempotencyKeys.fillAnswer(db, key, answer),
    pauseConnection: (pause) => connectionStates.pauseConnection(db, pause),
    resumeConnection: (name) => connectionStates.resumeConnection(db, name),
    ...lifeTransaction(db),
    ...packageTransaction(db),
    ...keyTransaction(db),
    ...importTransaction(db),
    ...intakeTransaction(db),
    ...vaultTransaction(db),
    ...callbackTransaction(db),
  };
}

function lifeTransaction(db: Queryable): LifeTransaction {
  return {
    insertSubjectRefs: (requestId, refs) => subjects.insertSubjectRefs(db, requestId, refs),
    insertDecision: (decision) => decisions.insertDecision(db, decision),
    insertApproval: (approval) => decisions.insertApproval(db, approval),
    listOpenRequestsOf: (refs, but) => subjects.listOpenRequestsOf(db, refs, but),
    listRequestsOf: (refs, most) => subjects.listRequestsOf(db, refs, most),
    findOpenErasure: (place) => subjects.findOpenErasure(db, place),
    listStandingRefs: (refs) => holds.listStandingRefs(db, refs),
    insertHold: (hold) => holds.insertHold(db, hold),
    lockHold: (id) => holds.lockHold(db, id),
    releaseHold: (release) => holds.releaseHold(db, release),
  };
}

function packageStore(pool: pg.Pool): PackageStore {
  return {
    findPackage: async (requestId) =>
      (await available(packages.listPackages(pool, [requestId]))).get(requestId),
    listPackageTasks: (requestId) => available(packages.listPackageTasks(pool, requestId)),
    findManifest: (requestId) => available(packages.findManifest(pool, requestId)),
    findPackagePart: (place) => available(packages.findPackagePart(pool, place)),
    renewDownload: (download, holdMs) => available(packages.renewDownload(pool, download, holdMs)),
    endDownload: (download) => available(packages.endDownload(pool, download)),
  };
}

function packageTransaction(db: Queryable): PackageTransaction {
  return {
    findPackage: async (requestId) => (await packages.listPackages(db, [requestId])).get(requestId),
    listPackageTasks: (requestId) => packages.listPackageTasks(db, requestId),
    insertPackage: (requestId, taskIds) => packages.insertPackage(db, requestId, taskIds),
    insertPackageParts: (parts) => packages.insertPackageParts(db, parts),
    writePackageTask: (task) => packages.writePackageTask(db, task),
    restartPackage: (requestId, taskIds) => packages.restartPackage(db, requestId, taskIds),
    readyPackage: (ready) => packages.readyPackage(db, ready),
    endPackage: (requestId, as) => packages.endPackage(db, requestId, as),
    beginDownload: (requestId, holdMs) => packages.beginDownload(db, requestId, holdMs),
    hasDownload: (download) => packages.hasDownload(db, download),
  };
}

function intakeStore(pool: pg.Pool): IntakeStore {
  const keeper = deliveries.deliveryKeeper(pool);
  return {
    keepDelivery: (delivery, guard) => available(keeper.add({ delivery, guard })),
    takeDeliveries: (leases, holdMs) => available(deliveries.takeDeliveries(pool, leases, holdMs)),
    listDeliveries: (filter) => available(deliveries.listDeliveries(pool, filter)),
    countDeliveries: () => available(deliveries.countDeliveries(pool)),
    findTicket: async (requestId) => (await available(tickets.listTickets(pool, [requestId]))).get(requestId),
    listKnownTickets: (named) => available(tickets.listKnownTickets(pool, named)),
    forgetReplayKeys: (limit) => available(deliveries.forgetReplayKeys(pool, limit)),
  };
}

function intakeTransaction(db: Queryable): IntakeTransaction {
  return {
    findKnownTicket: (source, reference) => tickets.findKnownTicket(db, source, reference),
    endDeliveries: (held, outcome) => deliveries.endDeliveries(db, held, outcome),
    noteUnmappable: (delivery, problems, keepMs) =>
      deliveries.noteUnmappable(db, delivery, { problems, keepMs }),
    judgeAgain: (id) => deliveries.judgeAgain(db, id),
    claimTickets: (claims) => tickets.claimTickets(db, claims),
    noteTicketChange: (ticket) => tickets.noteTicketChange(db, ticket),
  };
}

function importTransaction(db: Queryable): ImportTransaction {
  return {
    openImport: (wish) => imports.openImport(db, wish),
    claimRows: (lease, rows) => importRows.claimRows(db, lease, rows),
    insertRowErrors: (importId, errors) => importRows.insertRowErrors(db, importId, errors),
    countRows: (lease, counts) => imports.countRows(db, lease, counts),
    endImport: (lease, end) => imports.endImport(db, lease, end),
  };
}

function keyTransaction(db: Queryable): KeyTransaction {
  return {
    findKeyMadeFor: (purpose) => apiKeys.findKeyMadeFor(db, purpose),
    insertApiKey: (key) => apiKeys.insertApiKey(db, key),
    lockApiKey: (id) => apiKeys.lockApiKey(db, id),
    lockAdminKeys: () => apiKeys.lockAdminKeys(db),
    revokeApiKey: (id) => apiKeys.revokeApiKey(db, id),
    replaceToken: (id, change) => apiKeys.replaceToken(db, { id, ...change }),
    lockAdminTrail: () => adminEvents.lockAdminTrail(db),
    insertAdminEvent: (event) => adminEvents.insertAdminEvent(db, event),
  };
}

function vaultStore(pool: pg.Pool): VaultStore {
  return {
    listVaultKeys: () => available(vaultKeys.listVaultKeys(pool)),
    insertVaultKeys: (keys) => available(vaultKeys.insertVaultKeys(pool, keys)),
    findEarlySeal: () => available(vaultKeys.findEarlySeal(pool)),
    findOtherMaster: (masterIds) => available(vaultKeys.findOtherMaster(pool, masterIds)),
  };
}

function vaultTransaction(db: Queryable): VaultTransaction {
  return {
    lockDataKeys: (of) => vaultKeys.lockDataKeys(db, of),
    lockVaultKeys: ({ notBy }) => vaultKeys.lockVaultKeys(db, notBy),
    replaceDataKeys: (keys) => vaultKeys.replaceDataKeys(db, keys),
    replaceVaultKeys: (keys) => vaultKeys.replaceVaultKeys(db, keys),
    destroySubject: (requestId) => vaultKeys.destroySubject(db, requestId),
    listLooks: (requestId) => vaultKeys.listLooks(db, requestId),
    deleteLooks: (requestId) => vaultKeys.deleteLooks(db, requestId),
  };
}

/** Lock first, then read the tasks: each statement sees what was committed when it began. */
function scopeSql(requestId: string, options: { lock: boolean }): readonly string[] {
  return [...requests.selectSql(requestId, options), tasks.selectSql(requestId)];
}

function readScope([first = [], facts = [], taskRows = []]: readonly Rows[]): RequestScope | undefined {
  const found = requests.readSelected(first, facts);
  return found && { ...found, ...tasks.readSelected(taskRows) };
}

async function withTasks(
  db: Queryable,
  found: readonly ErasureRequest[],
): Promise<readonly RequestWithTasks[]> {
  if (found.length === 0) return [];
  const ids = found.map((request) => request.id);
  const [taskRows, waitingRows, related, ofRequests, ticketsOf, replies] = await Promise.all([
    tasks.listTasks(db, ids),
    work.listWaiting(db, ids),
    subjects.listRelated(db, ids),
    packages.listPackages(db, ids),
    tickets.listTickets(db, ids),
    listReplyStates(db, ids),
  ]);
  return found.map((request) => ({
    request,
    tasks: taskRows.filter((task) => task.requestId === request.id),
    waiting: waitingRows.filter((waiting) => waiting.requestId === request.id),
    accessPackage: ofRequests.get(request.id) ?? null,
    related: related.get(request.id) ?? [],
    ticket: ticketsOf.get(request.id) ?? null,
    replies: replies.get(request.id) ?? null,
  }));
}
