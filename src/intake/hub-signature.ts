import { createHmac } from 'node:crypto';
import { isOneOf, isSameSignature } from '../signatures/constant-time.ts';
import { contentKey, idKey, isId, REFUSED, type Scheme } from './scheme.ts';

/** The form that WebSub gave the world: `sha256=` and the HMAC of the body in hexadecimal, under the secret's text. */
export function hubSignature(
  secrets: readonly [string, ...string[]],
  names: { readonly signature: string; readonly id: string },
): Scheme {
  const signature = (secret: string, body: Uint8Array) =>
    `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  return {
    check: ({ header, body }) => {
      const [given, id] = [header(names.signature), header(names.id)];
      if (typeof given !== 'string' || !isId(id)) return REFUSED;
      const expected = secrets.map((secret) => signature(secret, body));
      return isOneOf(isSameSignature, expected, given)
        ? { ok: true, replayKeys: [idKey(id), contentKey(body)] }
        : REFUSED;
    },
    sign: ({ body, id }) => ({
      headers: { [names.signature]: signature(secrets[0], body), [names.id]: id },
      body,
    }),
  };
}

/** GitHub, Gitea, Forgejo and others. A redelivery has the same id. */
export function github(secrets: readonly [string, ...string[]]): Scheme {
  return hubSignature(secrets, { signature: 'x-hub-signature-256', id: 'x-github-delivery' });
}
