import type { RequestState } from './states.ts';

/** What decides how far a request may go by itself. */
export interface GateFacts {
  readonly identityRequired: boolean;
  readonly identityVerifiedAt: Date | null;
  readonly approvalsNeeded: number;
  readonly approvals: number;
  readonly coolingOffMs: number;
  /** Null until the cooling-off time has begun. */
  readonly coolingOffUntil: Date | null;
}

export type Gate = Extract<
  RequestState,
  'awaiting_identity' | 'awaiting_approval' | 'cooling_off' | 'discovering'
>;

/** The first gate that a request has not passed, or `discovering` when it has passed all. */
export function gateOf(facts: GateFacts, now: Date): Gate {
  if (facts.identityRequired && facts.identityVerifiedAt === null) return 'awaiting_identity';
  if (facts.approvals < facts.approvalsNeeded) return 'awaiting_approval';
  if (facts.coolingOffMs > 0 && (facts.coolingOffUntil === null || now < facts.coolingOffUntil)) {
    return 'cooling_off';
  }
  return 'discovering';
}

/** States before discovery: nothing was asked of OpenReplay yet. */
export function isBeforeDiscovery(state: RequestState): boolean {
  return (
    state === 'received' ||
    state === 'awaiting_identity' ||
    state === 'awaiting_approval' ||
    state === 'cooling_off'
  );
}
