import type { Deps } from './ports.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/** Notes that somebody has read a trail, a request's or that of what concerns none, before they are given it. */
export async function recordReading(
  deps: Pick<Deps, 'store' | 'encodeEvent'>,
  reading: { requestId: string | null; after: number; limit: number; apiKeyId: string },
): Promise<void> {
  const { requestId, after, limit, apiKeyId } = reading;
  await deps.store.transaction((tx) =>
    recordAdminEvent(tx, deps, {
      type: 'audit.read',
      actor: { kind: 'api_key', id: apiKeyId },
      data: { request_id: requestId, after, limit },
    }),
  );
}
