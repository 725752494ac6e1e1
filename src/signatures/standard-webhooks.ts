import { createHmac } from 'node:crypto';
import { isOneOf, isSameSignature } from './constant-time.ts';

/**
 * Signatures of Standard Webhooks (standardwebhooks.com, version 1): what we send is signed so, and what comes in from
 * a source of that kind is checked so.
 */

/** The spec's bounds for a secret, in bytes. */
const SECRET_BYTES = { min: 24, max: 64 };
const PREFIX = 'whsec_';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What is signed of a message. */
export interface WebhookMessage {
  /** `webhook-id`: the same for each attempt to deliver one message. */
  readonly id: string;
  /** `webhook-timestamp`: of this attempt, whole seconds since 1970. */
  readonly timestampS: number;
  /** The exact bytes of the body. */
  readonly body: Uint8Array;
}

/** The key within `whsec_` and base64; `undefined` when it is none, or not of 24 to 64 bytes. */
export function webhookKey(secret: string): Uint8Array | undefined {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : '';
  if (!BASE64.test(encoded)) return undefined;
  const key = Buffer.from(encoded, 'base64');
  return key.length >= SECRET_BYTES.min && key.length <= SECRET_BYTES.max ? key : undefined;
}

/** The one entry that this key adds to `webhook-signature`: `v1,` and the base64 of an HMAC-SHA-256. */
export function signWebhook(key: Uint8Array, message: WebhookMessage): string {
  const signed = createHmac('sha256', key)
    .update(`${message.id}.${String(message.timestampS)}.`)
    .update(message.body);
  return `v1,${signed.digest('base64')}`;
}

/**
 * Whether `webhook-signature` has a `v1` entry by one of these keys. Entries of other versions are passed over: a sender may
 * sign in several ways at once.
 */
export function isSignedWebhook(
  keys: readonly Uint8Array[],
  message: WebhookMessage,
  signatures: string,
): boolean {
  const expected = keys.map((key) => signWebhook(key, message));
  const matching = signatures.split(' ').filter((entry) => isOneOf(isSameSignature, expected, entry));
  return matching.length > 0;
}
