import { isSignedWebhook, signWebhook } from '../signatures/standard-webhooks.ts';
import { idKey, isId, REFUSED, TOLERANCE_MS, type Scheme } from './scheme.ts';

const SECONDS = /^[0-9]{1,12}$/;

/** Standard Webhooks, version 1: Svix and many others. Name, time and body are signed together. */
export function standardWebhooks(keys: readonly [Uint8Array, ...Uint8Array[]]): Scheme {
  return {
    check: ({ header, body, now }) => {
      const [id, time, signatures] = [
        header('webhook-id'),
        header('webhook-timestamp'),
        header('webhook-signature'),
      ];
      if (!isId(id) || typeof time !== 'string' || typeof signatures !== 'string') return REFUSED;
      // A full stop in either would let the parts of what is signed be cut elsewhere.
      if (id.includes('.') || !SECONDS.test(time)) return REFUSED;
      const timestampS = Number(time);
      const signed = isSignedWebhook(keys, { id, timestampS, body }, signatures);
      const fresh = Math.abs(now.getTime() - timestampS * 1_000) <= TOLERANCE_MS;
      return signed && fresh && String(timestampS) === time ? { ok: true, replayKeys: [idKey(id)] } : REFUSED;
    },
    sign: ({ body, now, id }) => {
      const timestampS = Math.floor(now.getTime() / 1_000);
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(timestampS),
        'webhook-signature': signWebhook(keys[0], { id, timestampS, body }),
      };
      return { headers, body };
    },
  };
}
