import type { ErasureRequest } from '../domain/request.ts';
import { isTerminalRequestState, type RequestState } from '../domain/states.ts';
import { destroyWork } from './new-work.ts';
import type { Change, Deps, RequestPatch } from './ports.ts';

/** What a use case needs that may close a request. */
export type ClosingDeps = Pick<Deps, 'encodeEvent' | 'connections' | 'retentionMs'>;

/**
 * The part of a change that moves a request. One that closes it says when, and brings the work that destroys its
 * identifiers later, in the same statement: none is kept for ever.
 */
export function movingRequest(
  deps: Pick<Deps, 'connections' | 'retentionMs'>,
  of: { request: ErasureRequest; now: Date },
  move: { from: readonly RequestState[]; patch: RequestPatch & { readonly state: RequestState } },
): Pick<Change, 'request' | 'begins'> {
  const { request, now } = of;
  if (!isTerminalRequestState(move.patch.state)) return { request: move };
  return {
    request: { from: move.from, patch: { ...move.patch, closedAt: now } },
    begins: destroyWork(deps, request, now),
  };
}
