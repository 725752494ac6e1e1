/** Events that a callback can be registered for: those of a request's trail that somebody outside waits for. */
export const CALLBACK_EVENTS = [
  'request.received',
  'request.awaiting_identity',
  'request.awaiting_approval',
  'request.on_hold',
  'request.erasing',
  'request.needs_attention',
  'request.extended',
  'request.completed',
  'request.refused',
  'request.cancelled',
  'deadline.at_risk',
] as const;
export type CallbackEvent = (typeof CALLBACK_EVENTS)[number];

/** What a test of a callback sends. */
export const TEST_EVENT = 'callback.test';

/** `disabled`: by a person, or because it failed for a whole schedule. `gone`: it answered 410. */
export const CALLBACK_STATES = ['active', 'disabled', 'gone'] as const;
export type CallbackState = (typeof CALLBACK_STATES)[number];

export const DELIVERY_STATES = ['waiting', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** How it stands with all answers to a ticket; the worst counts. `failing`: one waits that failed before. */
export const REPLY_STATES = ['delivered', 'waiting', 'failing', 'failed'] as const;
export type ReplyState = (typeof REPLY_STATES)[number];

/**
 * What one attempt to deliver came to. `found`: an answer to a ticket stood there already. `unreadable`: what is kept of the
 * receiver cannot be read or used. `not_understood`: the ticket system answered something else than it should.
 */
export const ATTEMPT_OUTCOMES = [
  'delivered',
  'found',
  'gone',
  'answered',
  'refused',
  'unreachable',
  'timeout',
  'reset',
  'unreadable',
  'not_understood',
] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** The state that an event of a request tells of; undefined where it changes none. */
export function stateToldBy(event: string): string | undefined {
  const [of, state] = event.split('.');
  return of === 'request' && state !== 'extended' ? state : undefined;
}
