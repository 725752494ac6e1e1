import { LetheError } from '../domain/errors.ts';
import type { Actor } from '../domain/events.ts';
import type { DecisionKind, IdentityMethod, RefusalGround } from '../domain/policy.ts';
import type { RequestState } from '../domain/states.ts';
import type { Deps, RequestScope, Transaction } from './ports.ts';
import type { RequestView } from './request-schema.ts';
import { showRequest } from './show-request.ts';

/** The request's state does not allow what was asked for; nothing was changed. Code REQUEST_STATE_FORBIDS. */
export class RequestStateForbidsError extends LetheError {
  constructor(what: string, state: RequestState, allowed: readonly RequestState[]) {
    super('REQUEST_STATE_FORBIDS', `The request is ${state}; to ${what} it must be ${allowed.join(' or ')}.`);
  }
}

/** A person's decision about a request, as it came in. */
export interface Decision {
  readonly requestId: string;
  readonly apiKeyId: string;
  /** The person's words. They are kept sealed and never stand in an event. */
  readonly text?: string | undefined;
}

export interface Deciding {
  readonly tx: Transaction;
  readonly scope: RequestScope;
  readonly actor: Actor;
}

/**
 * Carries a decision out under the request's lock, and keeps who decided, when and in what words.
 *
 * @param carryOut says false when it changes nothing, so that there is nothing to keep
 * @returns the request as it is now, or undefined when there is none with this id
 */
export async function decide(
  deps: Deps,
  decision: Decision & { kind: DecisionKind; ground?: IdentityMethod | RefusalGround },
  carryOut: (deciding: Deciding) => Promise<boolean>,
): Promise<RequestView | undefined> {
  const { requestId, apiKeyId, text, kind, ground = null } = decision;
  await deps.store.withRequest(requestId, async (tx, scope) => {
    if (scope === undefined) return;
    const decided = await carryOut({ tx, scope, actor: { kind: 'api_key', id: apiKeyId } });
    if (!decided) return;
    const textSealed =
      text === undefined ? null : deps.vault.boxOf(scope.dataKey).sealText(requestId, text, 'reason');
    await tx.insertDecision({ requestId, kind, ground, textSealed, decidedBy: apiKeyId, decidedAt: tx.now });
  });
  deps.workIsDue();
  return showRequest(deps, requestId);
}

/** Refuses what the request's state does not allow. */
export function requireState(scope: RequestScope, what: string, allowed: readonly RequestState[]): void {
  const { state } = scope.request;
  if (!allowed.includes(state)) throw new RequestStateForbidsError(what, state, allowed);
}
