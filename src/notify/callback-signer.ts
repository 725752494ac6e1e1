import { randomBytes } from 'node:crypto';
import type { CallbackSigner } from '../app/ports/notify.ts';
import { signWebhook, webhookKey } from '../signatures/standard-webhooks.ts';

const SECRET_BYTES = 32;

/** See CallbackSigner. */
export const callbackSigner: CallbackSigner = {
  newSecret: () => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`,
  sign: (secrets, message) => secrets.map((secret) => signWebhook(keyOf(secret), message)).join(' '),
};

function keyOf(secret: string): Uint8Array {
  const key = webhookKey(secret);
  if (key === undefined) throw new Error('a secret that is kept for a callback is none');
  return key;
}
