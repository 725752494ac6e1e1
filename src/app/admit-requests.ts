import type { Accepted } from './check-submission.ts';
import { planRequest, writePlans, type Admission, type PlannedRequest } from './plan-request.ts';
import type { Deps, Transaction } from './ports.ts';

/** A request that is let in, by its id. */
export type Admitted = { readonly id: string; readonly accepted: Accepted } & Pick<
  Admission,
  'apiKeyId' | 'channel' | 'ticket'
>;

/**
 * Stores requests with their first events and work, in the caller's transaction, which has looked at the times of their receipt
 * (futureReceipt): a few statements for any number of them.
 */
export async function admitRequests(
  tx: Transaction,
  deps: Deps,
  admitted: readonly Admitted[],
): Promise<readonly PlannedRequest[]> {
  const known = admitted.map((one) => ({ ...one, refs: deps.vault.subjectRefs(one.accepted.subject) }));
  const standing = await tx.listStandingRefs(known.flatMap(({ refs }) => refs));
  const plans = await Promise.all(
    known.map(({ id, ...from }) =>
      planRequest(deps, id, {
        ...from,
        standing: from.refs.some(({ value }) => standing.has(value)),
        now: tx.now,
      }),
    ),
  );
  await writePlans(tx, deps, plans);
  return plans;
}
