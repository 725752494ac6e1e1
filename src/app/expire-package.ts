import { LETHE } from '../domain/events.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps, Work } from './ports.ts';

/**
 * Deletes a package whose time is over.
 *
 * @returns whether it was written
 */
export async function expirePackage(deps: Pick<Deps, 'store' | 'encodeEvent'>, work: Work): Promise<boolean> {
  return deps.store.withRequest(work.requestId, async (tx, scope) => {
    if (scope === undefined) return false;
    const { request } = scope;
    const kept = await tx.findPackage(request.id);
    const drafts = kept?.state === 'ready' ? [{ type: 'package.expired', actor: LETHE } as const] : [];
    const written = await tx.write(request.id, {
      work: { lease: work, next: null },
      events: encodeEvents(deps, { request, now: tx.now }, drafts),
    });
    if (written && drafts.length > 0) await tx.endPackage(request.id, 'expired');
    return written;
  });
}
