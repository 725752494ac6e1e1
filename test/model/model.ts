import type { Policy } from '../../src/domain/policy.ts';
import type { RequestType } from '../../src/domain/request.ts';

/**
 * The life of a request as the documents tell it, as plainly as it can be said: what a person may do when, and where the
 * request stands then. It knows nothing of the service's own tables. What only a worker can bring about it takes from
 * what is seen (`Seen`), once the invariants have approved of it.
 */

export const SUBJECTS = [0, 1] as const;
export type IdKind = 'userId' | 'email';

export interface Identifier {
  readonly subject: number;
  readonly kind: IdKind;
}

/** What the model takes from the database: the rest it knows by itself. */
export interface Seen {
  readonly state: string;
  readonly attention: string | null;
  readonly heldFrom: string | null;
  readonly heldBy: string | null;
  readonly tasks: readonly { readonly state: string; readonly rounds: number }[];
  /** The access package, and how many pieces of it could not be read; null where there is none. */
  readonly package: { readonly state: string; readonly gaps: number } | null;
}

export interface ModelRequest {
  readonly id: string;
  readonly type: RequestType;
  readonly subject: number;
  readonly submitter: number;
  readonly policy: Policy;
  /** What the request's subject is known by; a user id is added once discovery has found it. */
  readonly knownBy: Set<IdKind>;
  readonly projects: number;
  readonly approvers: Set<number>;
  readonly decisions: { readonly kind: string; readonly by: number }[];
  verified: boolean;
  coolingOver: boolean;
  cancelAsked: boolean;
  extended: boolean;
  /** Somebody takes the package without what could not be read. */
  gapsAccepted: boolean;
  seen: Seen;
}

export interface ModelHold {
  readonly id: string;
  readonly on: Identifier;
  stands: boolean;
}

export interface Model {
  readonly requests: ModelRequest[];
  readonly holds: ModelHold[];
  /** Steps that were paused and have not gone on. */
  paused: number;
}

export const CLOSED: ReadonlySet<string> = new Set(['completed', 'refused', 'cancelled']);
const BEFORE_DISCOVERY: ReadonlySet<string> = new Set([
  'awaiting_identity',
  'awaiting_approval',
  'cooling_off',
]);

export const isClosed = (request: ModelRequest): boolean => CLOSED.has(request.seen.state);

/** The first gate that is not passed. */
export function gate(request: ModelRequest): string {
  if (request.policy.identityRequired && !request.verified) return 'awaiting_identity';
  if (request.approvers.size < request.policy.approvalsNeeded) return 'awaiting_approval';
  if (request.policy.coolingOffMs > 0 && !request.coolingOver) return 'cooling_off';
  return 'discovering';
}

/** Whether a standing hold is on something the request's subject is known by. */
export function isUnderStandingHold(model: Model, request: ModelRequest): boolean {
  return model.holds.some(
    ({ stands, on }) => stands && on.subject === request.subject && request.knownBy.has(on.kind),
  );
}

/** A standing hold keeps what may be deleted: data that is still to be given to the subject waits for nothing. */
export function isCaughtByStandingHold({ type, seen }: ModelRequest): boolean {
  if (CLOSED.has(seen.state) || type === 'access') return false;
  if (type === 'erasure') return true;
  return seen.state === 'erasing' || (seen.state === 'needs_attention' && !lacksData(seen));
}

/** What a download is answered with. */
export function downloadVerdict({ seen }: ModelRequest): string {
  switch (seen.package?.state) {
    case undefined:
      return 'PACKAGE_NOT_FOUND';
    case 'gathering':
      return 'PACKAGE_NOT_READY';
    case 'ready':
      return 'ok';
    default:
      return 'PACKAGE_GONE';
  }
}

export const DECISIONS = [
  'verify-identity',
  'approve',
  'refuse',
  'hold',
  'release',
  'extend',
  'cancel',
  'retry',
  'accept',
  'close',
] as const;
export type DecisionName = (typeof DECISIONS)[number];

/** The answer a decision must get: `ok`, `again` when it changes nothing, or the code of the refusal. */
export type Verdict =
  | 'ok'
  | 'again'
  | 'REQUEST_STATE_FORBIDS'
  | 'APPROVER_IS_SUBMITTER'
  | 'EXTENSION_REFUSED'
  | 'REQUEST_CLOSED'
  | 'NOTHING_TO_RETRY'
  | 'TASKS_UNDER_WAY'
  | 'NOTHING_TO_HOLD'
  | 'HOLD_STANDS';

type Judge = (model: Model, request: ModelRequest, by: number) => Verdict;

export const VERDICTS: Readonly<Record<DecisionName, Judge>> = {
  'verify-identity': (_, request) => {
    if (request.verified) return 'again';
    return ['awaiting_identity', 'on_hold'].includes(request.seen.state) ? 'ok' : 'REQUEST_STATE_FORBIDS';
  },
  approve: (_, request, by) => {
    if (by === request.submitter) return 'APPROVER_IS_SUBMITTER';
    if (request.seen.state !== 'awaiting_approval') return 'REQUEST_STATE_FORBIDS';
    return request.approvers.has(by) ? 'again' : 'ok';
  },
  refuse: (_, request) => {
    const untouched = request.seen.tasks.every(({ rounds }) => rounds === 0);
    const mayBe = !isClosed(request) && request.seen.state !== 'erasing';
    return mayBe && untouched ? 'ok' : 'REQUEST_STATE_FORBIDS';
  },
  hold: (_, request) => {
    if (request.type === 'access') return 'NOTHING_TO_HOLD';
    if (isClosed(request)) return 'REQUEST_STATE_FORBIDS';
    return request.seen.heldBy === 'person' ? 'again' : 'ok';
  },
  release: (model, request) => {
    if (request.seen.state !== 'on_hold') return 'REQUEST_STATE_FORBIDS';
    return isUnderStandingHold(model, request) ? 'HOLD_STANDS' : 'ok';
  },
  extend: (_, request) => {
    if (isClosed(request)) return 'REQUEST_STATE_FORBIDS';
    return request.extended ? 'EXTENSION_REFUSED' : 'ok';
  },
  cancel: (_, request) => {
    if (request.cancelAsked) return 'again';
    return isClosed(request) ? 'REQUEST_CLOSED' : 'ok';
  },
  retry: (_, request) => retryVerdict(request),
  accept: (_, request) => retryVerdict(request),
  close: (_, { seen }) => {
    if (seen.state !== 'needs_attention') return 'REQUEST_STATE_FORBIDS';
    if (lacksData(seen)) return 'ok';
    return seen.tasks.some(({ state }) => UNDER_WAY.has(state)) ? 'TASKS_UNDER_WAY' : 'ok';
  },
};

function retryVerdict({ seen }: ModelRequest): Verdict {
  if (seen.state !== 'needs_attention') return 'REQUEST_STATE_FORBIDS';
  if (lacksData(seen) || seen.tasks.length === 0) return 'ok';
  return seen.tasks.some(({ state }) => MAY_BE_RETRIED.has(state)) ? 'ok' : 'NOTHING_TO_RETRY';
}

/** A person decides about a package that lacks something. */
const lacksData = ({ attention }: Seen): boolean => attention === 'package_incomplete';

const MAY_BE_RETRIED: ReadonlySet<string> = new Set(['failed', 'residue']);
export const UNDER_WAY: ReadonlySet<string> = new Set(['pending', 'submitting', 'submitted', 'verifying']);

/** What a decision is kept as. */
const KEPT_AS: Readonly<Record<DecisionName, string>> = {
  'verify-identity': 'identity_verified',
  approve: 'approved',
  refuse: 'refused',
  hold: 'held',
  release: 'released',
  extend: 'extended',
  cancel: 'cancelled',
  retry: 'retried',
  accept: 'retried',
  close: 'closed',
};

/**
 * Takes an accepted decision into the model.
 *
 * @returns the states the request may be in now
 */
export function decided(
  model: Model,
  request: ModelRequest,
  { name: decision, by }: { name: DecisionName; by: number },
): readonly string[] {
  request.decisions.push({ kind: KEPT_AS[decision], by });
  const before = request.seen.state;
  switch (decision) {
    case 'verify-identity':
      request.verified = true;
      return [before === 'on_hold' ? before : gate(request)];
    case 'approve':
      request.approvers.add(by);
      return [gate(request)];
    case 'refuse':
      return ['refused'];
    case 'hold':
      return ['on_hold'];
    case 'release':
      return releasedTo(request);
    case 'extend':
      request.extended = true;
      return [before];
    case 'cancel':
      request.cancelAsked = true;
      return cancelledTo(request);
    case 'retry':
    case 'accept':
      return [retriedTo(model, request, decision)];
    case 'close':
      return ['completed'];
    default:
      return decision satisfies never;
  }
}

function retriedTo(model: Model, request: ModelRequest, how: 'retry' | 'accept'): string {
  const { seen, type } = request;
  if (!lacksData(seen)) return seen.tasks.length === 0 ? 'discovering' : 'erasing';
  // What has expired cannot be accepted: nobody ever got it.
  request.gapsAccepted = how === 'accept' && seen.package?.state !== 'expired';
  if (!request.gapsAccepted) return 'gathering';
  if (type === 'access') return 'completed';
  return isUnderStandingHold(model, request) ? 'on_hold' : 'erasing';
}

/** It goes on where it was, as far as its gates let it; its tasks may have come to their end meanwhile. */
export function releasedTo(request: ModelRequest): readonly string[] {
  const { heldFrom, tasks } = request.seen;
  if (heldFrom === null) throw new Error('held from nowhere');
  if (BEFORE_DISCOVERY.has(heldFrom)) return [gate(request)];
  if (tasks.length === 0) return [heldFrom];
  if (tasks.every(({ state }) => state === 'erased')) return ['completed'];
  if (tasks.some(({ state }) => MAY_BE_RETRIED.has(state))) return ['needs_attention'];
  return tasks.some(({ state }) => UNDER_WAY.has(state)) ? [heldFrom] : ['cancelled'];
}

/** At once where nothing of it is under way at OpenReplay or in verification. */
function cancelledTo({ seen }: ModelRequest): readonly string[] {
  const underWay = seen.tasks.some(({ state }) => ['submitting', 'submitted', 'verifying'].includes(state));
  if (underWay) return [seen.state];
  // What was erased already stays so: held, it waits for the release.
  return seen.tasks.length > 0 && seen.tasks.every(({ state }) => state === 'erased')
    ? [seen.state]
    : ['cancelled'];
}

/** Why OpenReplay must not be told now to delete the subject for this request; undefined when it may be. */
export function deletionForbidden(model: Model, request: ModelRequest): string | undefined {
  const { seen } = request;
  if (isClosed(request)) return `the request is ${seen.state}`;
  if (seen.state === 'on_hold') return 'the request is on hold';
  const onSubject = model.holds.some(
    ({ stands, on }) =>
      stands && on.subject === request.subject && (on.kind === 'userId' || request.knownBy.has(on.kind)),
  );
  if (onSubject) return 'a standing hold is on the subject';
  if (request.cancelAsked) return 'somebody asked to cancel it';
  return gateForbids(request) ?? copyForbids(request);
}

function gateForbids({ policy, verified, approvers, coolingOver }: ModelRequest): string | undefined {
  if (policy.identityRequired && !verified) return 'the identity is not established';
  if (approvers.size < policy.approvalsNeeded) return 'it is not approved';
  return policy.coolingOffMs > 0 && !coolingOver ? 'it cools off' : undefined;
}

function copyForbids({ type, seen, gapsAccepted }: ModelRequest): string | undefined {
  if (type === 'erasure') return undefined;
  if (type === 'access') return 'access alone is asked for';
  if (seen.package === null || seen.package.state === 'gathering') return 'the copy is not ready';
  return seen.package.gaps > 0 && !gapsAccepted ? 'the copy lacks something' : undefined;
}
