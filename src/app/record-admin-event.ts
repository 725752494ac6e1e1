import type { AdminEventDraft } from '../domain/events.ts';
import type { Deps, Transaction } from './ports.ts';

/** Writes an event at the end of the trail of API keys, in the transaction of the change that it tells of. */
export async function recordAdminEvent(
  tx: Transaction,
  deps: Pick<Deps, 'encodeEvent'>,
  draft: AdminEventDraft,
): Promise<void> {
  const seq = await tx.lockAdminTrail();
  const bytes = deps.encodeEvent({ ...draft, seq, at: tx.now.toISOString() });
  await tx.insertAdminEvent({ seq, type: draft.type, bytes });
}
