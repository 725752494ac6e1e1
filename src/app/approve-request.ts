import { LetheError } from '../domain/errors.ts';
import { decide, requireState, type Decision } from './decide.ts';
import { passGates } from './pass-gates.ts';
import type { Deps } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/** Who submits a request cannot approve it. Code APPROVER_IS_SUBMITTER. */
export class ApproverIsSubmitterError extends LetheError {
  constructor() {
    super(
      'APPROVER_IS_SUBMITTER',
      'The key that submitted the request cannot approve it; somebody else has to.',
    );
  }
}

/**
 * Approves a request. The same key approves once, however often it asks; the database, too, refuses the submitter.
 *
 * @throws ApproverIsSubmitterError, RequestStateForbidsError when the request waits for no approval
 */
export async function approveRequest(deps: Deps, decision: Decision): Promise<RequestView | undefined> {
  const { apiKeyId } = decision;
  return decide(deps, { ...decision, kind: 'approved' }, async ({ tx, scope, actor }) => {
    const { request } = scope;
    if (request.submittedBy === apiKeyId) throw new ApproverIsSubmitterError();
    requireState(scope, 'be approved', ['awaiting_approval']);
    const approval = { requestId: request.id, submittedBy: request.submittedBy };
    const first = await tx.insertApproval({ ...approval, approvedBy: apiKeyId, approvedAt: tx.now });
    if (!first) return false;
    const approvals = request.approvals + 1;
    await passGates(tx, deps, {
      request: { ...request, approvals },
      patch: {},
      drafts: [
        { type: 'request.approved', actor, data: { approvals, approvals_needed: request.approvalsNeeded } },
      ],
    });
    return true;
  });
}
