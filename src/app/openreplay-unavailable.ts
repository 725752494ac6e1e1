import { LetheError } from '../domain/errors.ts';
import type { CallFailure } from '../domain/openreplay.ts';

/** OpenReplay did not give what an answer needs. Names the connection, never an identifier. Code OPENREPLAY_UNAVAILABLE. */
export class OpenReplayUnavailableError extends LetheError {
  /** How long the server asked to wait, where it did. */
  readonly retryAfterMs: number | undefined;

  constructor(connection: string, failure: CallFailure) {
    super('OPENREPLAY_UNAVAILABLE', `OpenReplay, as connection ${connection}, ${whatHappened(failure)}.`);
    this.retryAfterMs =
      failure.kind === 'rate_limited'
        ? failure.retryAfterMs
        : failure.kind === 'withheld'
          ? Math.max(0, failure.untilMs - Date.now())
          : undefined;
  }
}

function whatHappened(failure: CallFailure): string {
  switch (failure.kind) {
    case 'withheld':
      return failure.reason === 'connection_paused'
        ? 'is paused by an operator'
        : 'is left alone for a while, since it failed';
    case 'unauthorized':
      return 'refuses the API key it is configured with';
    case 'rate_limited':
      return 'asks for fewer calls';
    case 'redirected':
      return 'redirects; the configured address is wrong, or something stands in between';
    case 'server_error':
      return `answered with the status ${failure.status}`;
    case 'unreadable':
      return 'gave an answer that makes no sense';
    case 'unreachable':
      return 'cannot be reached';
    case 'no_answer':
      return 'did not answer in time';
    case 'conflict':
    case 'not_found':
    case 'not_available':
    case 'rejected':
    case 'unsendable':
      return 'refused a call';
    default:
      return failure satisfies never;
  }
}
