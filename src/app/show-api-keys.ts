import type { ApiKeyView } from './api-key-schema.ts';
import { apiKeyView } from './api-key-view.ts';
import type { Deps } from './ports.ts';
import { eventPage, type EventPage } from './show-request.ts';

/** Every key there is or was, the oldest first. */
export async function listApiKeys(deps: Pick<Deps, 'store'>): Promise<ApiKeyView[]> {
  return (await deps.store.listApiKeys()).map(apiKeyView);
}

/** What was done to keys, after `after` (-1 for the beginning), by `seq`. */
export async function listAdminEvents(
  deps: Pick<Deps, 'store'>,
  query: { after: number; limit: number },
): Promise<EventPage> {
  const { after, limit } = query;
  return eventPage(await deps.store.listAdminEventBytes({ after, limit: limit + 1 }), query);
}
