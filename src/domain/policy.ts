/** What must happen before a request may be carried out. Taken from the configuration when it comes in, and kept. */
export interface Policy {
  /** Somebody has to say how the subject's identity was established. */
  readonly identityRequired: boolean;
  /** Approvals by others than the submitter. */
  readonly approvalsNeeded: 0 | 1 | 2;
  /** How long an approved request still waits, so that a mistake can be called back. */
  readonly coolingOffMs: number;
}

/** Grounds on which a request may be refused: Art. 12(5), Art. 17(3), or that nobody knows who asks (Art. 12(2), 11). */
export const REFUSAL_GROUNDS = [
  'manifestly_unfounded',
  'excessive',
  'freedom_of_expression',
  'legal_obligation',
  'public_health',
  'archiving_or_research',
  'legal_claims',
  'identity_not_established',
] as const;
export type RefusalGround = (typeof REFUSAL_GROUNDS)[number];

/** How a subject's identity was established. */
export const IDENTITY_METHODS = [
  'authenticated_account',
  'email_confirmation',
  'document',
  'in_person',
  'phone',
  'authorized_agent',
  'other',
] as const;
export type IdentityMethod = (typeof IDENTITY_METHODS)[number];

/** What people decide about a request. */
export const DECISION_KINDS = [
  'identity_verified',
  'approved',
  'refused',
  'held',
  'released',
  'extended',
  'retried',
  'closed',
  'cancelled',
] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];
