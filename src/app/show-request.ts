import type { Deps, RequestFilter } from './ports.ts';
import { recordReading } from './record-reading.ts';
import type { RequestPage, RequestView } from './request-schema.ts';
import { viewOf, type ViewDeps } from './request-view.ts';

type ReadDeps = ViewDeps & Pick<Deps, 'store' | 'observedRounds'>;

/** The request with this id as people see it, or undefined. */
export async function showRequest(deps: ReadDeps, id: string): Promise<RequestView | undefined> {
  const found = await deps.store.findRequest(id);
  return found && viewOf(deps, found, await deps.observedRounds());
}

/** Requests, newest first, in keyset pages: stable while new ones come in, and as quick on the last page as on the first. */
export async function listRequests(deps: ReadDeps, filter: RequestFilter): Promise<RequestPage> {
  const found = await deps.store.listRequests({ ...filter, limit: filter.limit + 1 });
  const observed = await deps.observedRounds();
  const items = found.slice(0, filter.limit).map((one) => viewOf(deps, one, observed));
  return { items, nextCursor: found.length > filter.limit ? (items.at(-1)?.id ?? null) : null };
}

export interface EventPage {
  /** The exact canonical JSON of each event, as stored. */
  readonly events: readonly string[];
  /** Give it as `after` for what follows; null on the last page. */
  readonly nextAfter: number | null;
}

/** Audit events of a request after `after` (-1 for the beginning), by `seq`; undefined when there is no such request. */
export async function listEvents(
  deps: Pick<Deps, 'store' | 'encodeEvent'>,
  query: { requestId: string; after: number; limit: number; apiKeyId: string },
): Promise<EventPage | undefined> {
  const { requestId, after, limit } = query;
  const found = await deps.store.listEventBytes(requestId, { after, limit: limit + 1 });
  if (found !== undefined) await recordReading(deps, { ...query, requestId });
  return found && eventPage(found, query);
}

/** A page of a trail without gaps, of what stands after `after`; one more than `limit` says that there is another. */
export function eventPage(
  found: readonly Uint8Array[],
  { after, limit }: { after: number; limit: number },
): EventPage {
  const decoder = new TextDecoder();
  const events = found.slice(0, limit).map((bytes) => decoder.decode(bytes));
  return { events, nextAfter: found.length > limit ? after + limit : null };
}
