import type { CallGate } from '../app/ports/gate.ts';
import type { CallMood } from '../domain/connection-mood.ts';
import { parseRetryAfter } from './retry-after.ts';
import type { Transport, TransportAnswer } from './transport.ts';

/** A transport that sends what the gate lets through, and tells it what each answer says of the server. */
export function gated(send: Transport, gate: CallGate): Transport {
  return async (request) => {
    const pass = await gate.enter();
    if (pass.kind === 'withheld') return pass;
    const result = await send(request);
    await pass.leave(moodOf(result));
    return result;
  };
}

function moodOf(result: Awaited<ReturnType<Transport>>): CallMood {
  if (!('kind' in result)) return moodOfStatus(result);
  if (result.kind === 'unreachable' || result.kind === 'no_answer')
    return { reason: result.kind, atOnce: false };
  return 'fine';
}

/** Whatever else a server refuses, it is well enough to refuse it. */
function moodOfStatus({ status, retryAfter }: TransportAnswer): CallMood {
  if (status === 401) return { reason: 'key_refused', atOnce: true };
  if (status === 429) {
    return { reason: 'rate_limited', atOnce: true, waitMs: parseRetryAfter(retryAfter, Date.now()) };
  }
  return status >= 500 ? { reason: 'server_error', atOnce: false } : 'fine';
}
