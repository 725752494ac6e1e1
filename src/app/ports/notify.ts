import type { AttemptOutcome } from '../../domain/callback.ts';

/** One call to a server outside: a callback, an answer to a ticket, a checkpoint for who keeps them. */
export interface OutgoingCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** It may hold a secret, so it stands in no error and no log. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The exact bytes of the body; left out for a GET. */
  readonly body?: Uint8Array;
}

/** Why a target was not called. */
export type RefusedTarget =
  'not_a_url' | 'not_https' | 'has_credentials' | 'host_not_allowed' | 'address_not_allowed';

/** What became of an outgoing call. */
export type SendOutcome =
  /** An answer came, whatever its status; a redirect is one too. `text`: undefined where it was too long or not UTF-8. */
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly retryAfter: string | undefined;
      readonly text: string | undefined;
    }
  /** Nothing was sent, and nothing will be until the configuration or the name changes. */
  | { readonly kind: 'refused'; readonly reason: RefusedTarget }
  /** No connection stood: nothing was sent. */
  | { readonly kind: 'unreachable' }
  /** It may have arrived. */
  | { readonly kind: 'no_answer'; readonly reason: 'timeout' | 'reset' };

export interface Sender {
  /** Sends once. Never throws and never rejects. */
  send(call: OutgoingCall): Promise<SendOutcome>;
  /** Whether the target may be called as far as its URL tells; undefined when it may. Names are not looked up. */
  refusalOf(url: string): RefusedTarget | undefined;
}

/** Signs what is sent to callbacks, as Standard Webhooks tells. */
export interface CallbackSigner {
  /** A new secret, `whsec_` and 32 random bytes in base64. */
  newSecret(): string;
  /**
   * `webhook-signature`: one signature for each secret, with spaces between them.
   *
   * @param message `timestampS`: whole seconds since 1970
   */
  sign(
    secrets: readonly string[],
    message: { readonly id: string; readonly timestampS: number; readonly body: Uint8Array },
  ): string;
}

/** What of a request is told to its ticket. */
export const REPLY_MOMENTS = ['accepted', 'needsPerson', 'completed', 'refused'] as const;
export type ReplyMoment = (typeof REPLY_MOMENTS)[number];

/** What templates may show: ids, states and days, and nothing of anybody's. */
export interface ReplyValues {
  readonly requestId: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly dueOn: string | null;
}

export interface TicketReply {
  /** As the ticket system calls it. */
  readonly ticket: string;
  readonly moment: ReplyMoment;
  readonly values: ReplyValues;
  /** Stands in the comment, so that it is found again. */
  readonly marker: string;
  /** A comment may have been made already, whose answer never came. */
  readonly looksFirst: boolean;
}

/** A ticket system that answers go to. */
export interface ReplyTarget {
  readonly name: string;
  /** The ticket that a request's reference names there; undefined when it names none. */
  ticketOf(reference: string): string | undefined;
  /** Whether there is anything to tell. */
  tells(moment: ReplyMoment): boolean;
  /** Comments the ticket, and moves it on where that is configured. Never throws. */
  reply(reply: TicketReply): Promise<{ readonly outcome: AttemptOutcome; readonly status: number | null }>;
}
