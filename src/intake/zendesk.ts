import { createHmac } from 'node:crypto';
import { isOneOf, isSameSignature } from '../signatures/constant-time.ts';
import { contentKey, idKey, isId, REFUSED, TOLERANCE_MS, type Scheme } from './scheme.ts';

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** Zendesk: base64 of an HMAC-SHA-256 of the time's text and the body, under the secret's text. */
export function zendesk(secrets: readonly [string, ...string[]]): Scheme {
  const signature = (secret: string, time: string, body: Uint8Array) =>
    createHmac('sha256', secret).update(time).update(body).digest('base64');
  return {
    check: ({ header, body, now }) => {
      const given = header('x-zendesk-webhook-signature');
      const time = header('x-zendesk-webhook-signature-timestamp');
      if (typeof given !== 'string' || typeof time !== 'string' || !TIME.test(time)) return REFUSED;
      const expected = secrets.map((secret) => signature(secret, time, body));
      const signed = isOneOf(isSameSignature, expected, given);
      const fresh = Math.abs(now.getTime() - Date.parse(time)) <= TOLERANCE_MS;
      const id = header('x-zendesk-webhook-invocation-id');
      if (!signed || !fresh || id === null) return REFUSED;
      const replayKeys = isId(id)
        ? [idKey(id), contentKey(Buffer.from(`${time}\0`), body)]
        : [contentKey(body)];
      return { ok: true, replayKeys };
    },
    sign: ({ body, now, id }) => {
      const time = `${now.toISOString().slice(0, 19)}Z`;
      const headers = {
        'x-zendesk-webhook-signature': signature(secrets[0], time, body),
        'x-zendesk-webhook-signature-timestamp': time,
        'x-zendesk-webhook-invocation-id': id,
      };
      return { headers, body };
    },
  };
}
