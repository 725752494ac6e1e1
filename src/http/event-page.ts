import type { Response } from 'express';
import type { EventPage } from '../app/show-request.ts';
import { answerJson } from './route.ts';

/**
 * Answers with a page of events. Each event's stored text stands in the answer as it is: parsed and written anew, it
 * might no longer be the bytes that were hashed.
 */
export function answerEvents(res: Response, page: EventPage): void {
  answerJson(res, 200, `{"events":[${page.events.join(',')}],"nextAfter":${JSON.stringify(page.nextAfter)}}`);
}
