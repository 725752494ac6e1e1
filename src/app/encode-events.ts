import type { EventDraft } from '../domain/events.ts';
import type { ErasureRequest } from '../domain/request.ts';
import { isTerminalRequestState, REQUEST_STATES } from '../domain/states.ts';
import type { Deps, EncodedEvent } from './ports.ts';

/**
 * Events for the end of a request's trail, to be written in the transaction of the change they tell of. The caller
 * holds the request's lock (or has just inserted it), so that `seq` has no gap. A closing event also carries
 * `event_count`, the number of events with itself: that shows that none was left out.
 *
 * @param scope the request as it is in the transaction, and the transaction's time
 */
export function encodeEvents(
  deps: Pick<Deps, 'encodeEvent'>,
  scope: { request: ErasureRequest; now: Date },
  drafts: readonly EventDraft[],
): readonly EncodedEvent[] {
  const { request } = scope;
  const at = scope.now.toISOString();
  return drafts.map((draft, index) => {
    const seq = request.eventCount + index;
    const event = { ...closed(draft, seq), requestId: request.id, seq, at };
    return { seq, type: draft.type, bytes: deps.encodeEvent(event) };
  });
}

function closed(draft: EventDraft, seq: number): EventDraft {
  const closes =
    draft.taskId === undefined &&
    REQUEST_STATES.some((state) => state === draft.change?.to && isTerminalRequestState(state));
  return closes ? { ...draft, data: { ...draft.data, event_count: seq + 1 } } : draft;
}
