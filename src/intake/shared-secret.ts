import { isOneOf, isSameSecret } from '../signatures/constant-time.ts';
import { contentKey, REFUSED, type Scheme } from './scheme.ts';

/**
 * A secret in a header: for systems that sign nothing, such as Freshdesk, Freshservice, ServiceNow and Jira Automation. Whoever
 * sees one delivery can send others, so it must come over TLS.
 *
 * @param header its name in small letters
 */
export function sharedSecret(secrets: readonly [string, ...string[]], header: string): Scheme {
  return {
    check: (delivery) => {
      const given = delivery.header(header);
      return typeof given === 'string' && isOneOf(isSameSecret, secrets, given)
        ? { ok: true, replayKeys: [contentKey(delivery.body)] }
        : REFUSED;
    },
    sign: ({ body }) => ({ headers: { [header]: secrets[0] }, body }),
  };
}
