import type { EventPage } from '../app/show-request.ts';

/**
 * A page of events as JSON text. Each event's stored text stands in it as it is: parsed and written anew, it might no
 * longer be the bytes that were hashed.
 */
export function eventPageJson(page: EventPage): string {
  return `{"events":[${page.events.join(',')}],"nextAfter":${JSON.stringify(page.nextAfter)}}`;
}
