import { z } from 'zod';
import { deliveryView } from './callback-schema.ts';
import { deliveryViewOf } from './callback-view.ts';
import type { Deps } from './ports.ts';
import { PAGE_MAX } from './request-schema.ts';

export const replyList = z
  .strictObject({ items: z.array(deliveryView).max(PAGE_MAX) })
  .meta({ id: 'ReplyList', description: 'What the ticket of a request was told.' });

/** The latest answers to the ticket of a request, newest first; undefined when there is no such request. */
export async function listReplies(
  deps: Pick<Deps, 'store'>,
  requestId: string,
): Promise<z.infer<typeof replyList> | undefined> {
  if ((await deps.store.findScope(requestId)) === undefined) return undefined;
  const found = await deps.store.listSentDeliveries({ of: { requestId }, limit: PAGE_MAX });
  return { items: found.map(deliveryViewOf) };
}
