import { valueAtPointer } from '../domain/json-pointer.ts';
import { hubSignature } from './hub-signature.ts';
import { REFUSED, TOLERANCE_MS, type Scheme } from './scheme.ts';

/** Jira tries again for hours, with the body of the first time. */
const PATIENCE_MS = 24 * 3_600_000;

/**
 * Webhooks of Jira Cloud. Their time stands in the body, which is therefore read, once it is known to be Jira's. The name of a
 * delivery is the same each time it is tried.
 */
export function jira(secrets: readonly [string, ...string[]]): Scheme {
  const hub = hubSignature(secrets, {
    signature: 'x-hub-signature',
    id: 'x-atlassian-webhook-identifier',
  });
  return {
    check: (delivery) => {
      const signed = hub.check(delivery);
      if (!signed.ok) return REFUSED;
      const time = valueAtPointer(parsed(delivery.body), '/timestamp');
      const ageMs = delivery.now.getTime() - (typeof time === 'number' ? time : NaN);
      return ageMs <= PATIENCE_MS && ageMs >= -TOLERANCE_MS ? signed : REFUSED;
    },
    // A payload that was kept as an example is old by now.
    sign: ({ body, now, id }) => {
      const payload = parsed(body);
      const fresh =
        typeof payload === 'object' && payload !== null && !Array.isArray(payload)
          ? Buffer.from(JSON.stringify({ ...payload, timestamp: now.getTime() }))
          : body;
      return hub.sign({ now, id, body: fresh });
    },
  };
}

function parsed(body: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return value;
  } catch {
    return undefined;
  }
}
