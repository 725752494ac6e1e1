import type { EventDraft } from '../domain/events.ts';
import type { ErasureRequest } from '../domain/request.ts';
import { isTerminalRequestState, REQUEST_STATES } from '../domain/states.ts';
import type { Deps, Transaction } from './ports.ts';

/**
 * Writes events at the end of a request's trail, in the transaction of the change they tell of. The caller holds
 * the request's lock (or has just inserted it), so that `seq` has no gap. A closing event also carries
 * `event_count`, the number of events with itself: that shows that none was left out.
 *
 * @returns the request's new number of events
 */
export async function recordEvents(
  tx: Transaction,
  scope: { deps: Pick<Deps, 'encodeEvent'>; request: ErasureRequest },
  drafts: readonly EventDraft[],
): Promise<number> {
  const { deps, request } = scope;
  const at = tx.now.toISOString();
  const events = drafts.map((draft, index) => {
    const seq = request.eventCount + index;
    const event = { ...closed(draft, seq), requestId: request.id, seq, at };
    return { seq, type: draft.type, bytes: deps.encodeEvent(event) };
  });
  if (events.length > 0) await tx.insertEvents(request.id, events);
  return request.eventCount + events.length;
}

function closed(draft: EventDraft, seq: number): EventDraft {
  const closes =
    draft.taskId === undefined &&
    REQUEST_STATES.some((state) => state === draft.change?.to && isTerminalRequestState(state));
  return closes ? { ...draft, data: { ...draft.data, event_count: seq + 1 } } : draft;
}
