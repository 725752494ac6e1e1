import type { ApiKeyView } from './api-key-schema.ts';
import { apiKeyView } from './api-key-view.ts';
import type { Deps } from './ports.ts';
import { recordReading } from './record-reading.ts';
import { eventPage, type EventPage } from './show-request.ts';

/** Every key there is or was, the oldest first. */
export async function listApiKeys(deps: Pick<Deps, 'store'>): Promise<ApiKeyView[]> {
  return (await deps.store.listApiKeys()).map(apiKeyView);
}

/** What only says that somebody has read may be read without another such event: who reads page by page would never end. */
const READING = '"type":"audit.read"';

/** What was done to keys, after `after` (-1 for the beginning), by `seq`. */
export async function listAdminEvents(
  deps: Pick<Deps, 'store' | 'encodeEvent'>,
  query: { after: number; limit: number; apiKeyId: string },
): Promise<EventPage> {
  const { after, limit } = query;
  const page = eventPage(await deps.store.listAdminEventBytes({ after, limit: limit + 1 }), query);
  if (page.events.some((event) => !event.includes(READING)))
    await recordReading(deps, { ...query, requestId: null });
  return page;
}
