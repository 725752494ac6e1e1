import type { Accepted } from './check-submission.ts';
import { planRequest, writePlans, type Admission, type PlannedRequest } from './plan-request.ts';
import type { Deps, Transaction } from './ports.ts';

/**
 * Stores one request with its first events and work, in the caller's transaction, which has looked at the time of its
 * receipt (futureReceipt).
 */
export async function admitRequest(
  tx: Transaction,
  deps: Deps,
  {
    id,
    accepted,
    ...from
  }: { id: string; accepted: Accepted } & Pick<Admission, 'apiKeyId' | 'channel' | 'ticket'>,
): Promise<PlannedRequest> {
  const refs = deps.vault.subjectRefs(accepted.subject);
  const standing = (await tx.listStandingRefs(refs)).size > 0;
  const plan = await planRequest(deps, id, { ...from, accepted, refs, standing, now: tx.now });
  await writePlans(tx, deps, [plan]);
  return plan;
}
