import type { AttemptOutcome } from '../../domain/callback.ts';
import type { SendOutcome } from './notify.ts';

/** What a call came to, as it is written down. `status`: of the answer, where one came. */
export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  readonly status: number | null;
}

export function attemptOf(sent: SendOutcome): AttemptResult {
  switch (sent.kind) {
    case 'answered':
      return { outcome: isSuccess(sent.status) ? 'delivered' : 'answered', status: sent.status };
    case 'no_answer':
      return { outcome: sent.reason, status: null };
    case 'refused':
    case 'unreachable':
      return { outcome: sent.kind, status: null };
    default:
      return sent satisfies never;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}
