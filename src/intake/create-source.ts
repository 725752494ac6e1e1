import type { TicketSource } from '../app/ports/intake.ts';
import type { Quota, RateLimit } from '../domain/rate-limit.ts';
import type { Regulation } from '../domain/regulation.ts';
import type { SourceKind, TicketRules } from '../domain/ticket.ts';
import { webhookKey } from '../signatures/standard-webhooks.ts';
import { github } from './hub-signature.ts';
import { jira } from './jira.ts';
import type { Scheme } from './scheme.ts';
import { sharedSecret } from './shared-secret.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { zendesk } from './zendesk.ts';

/** How a source proves that a delivery is its own. The first secret is the newest. */
export type SourceProof =
  | {
      readonly kind: Exclude<SourceKind, 'jira-automation' | 'shared-secret'>;
      readonly secrets: readonly [string, ...string[]];
    }
  | {
      readonly kind: 'jira-automation' | 'shared-secret';
      readonly secrets: readonly [string, ...string[]];
      /** The header that holds the secret. */
      readonly header: string;
    };

export type SourceOptions = SourceProof & {
  readonly name: string;
  readonly rules: TicketRules;
  readonly connection: string | undefined;
  readonly regulation: Regulation;
  readonly rateLimit: RateLimit;
};

/** A source of tickets as it is configured. */
export function createSource(options: SourceOptions): TicketSource {
  const { name, kind, rules, connection, regulation, rateLimit } = options;
  const scheme = schemeOf(options);
  return {
    ...{ name, kind, rules, connection, regulation },
    check: (delivery) => scheme.check(delivery),
    use: createWindow(rateLimit),
  };
}

/** @throws TypeError for a secret that is none of this kind: the configuration has seen to it */
export function schemeOf(proof: SourceProof): Scheme {
  if (proof.secrets.some((secret) => secret === '')) throw new TypeError('an empty secret');
  switch (proof.kind) {
    case 'standard-webhooks':
      return standardWebhooks(keysOf(proof.secrets));
    case 'zendesk':
      return zendesk(proof.secrets);
    case 'jira':
      return jira(proof.secrets);
    case 'github':
      return github(proof.secrets);
    case 'jira-automation':
    case 'shared-secret':
      return sharedSecret(proof.secrets, proof.header.toLowerCase());
    default:
      return proof satisfies never;
  }
}

function keysOf(secrets: readonly string[]): readonly [Uint8Array, ...Uint8Array[]] {
  const [first, ...others] = secrets.map((secret) => {
    const key = webhookKey(secret);
    if (key === undefined) throw new TypeError('no secret of Standard Webhooks');
    return key;
  });
  if (first === undefined) throw new TypeError('a source without a secret');
  return [first, ...others];
}

/** Windows of this process alone: a count that all processes share would make every delivery wait for the one before. */
function createWindow(limit: RateLimit): () => Quota {
  let [used, endsAt] = [0, 0];
  return () => {
    const now = performance.now();
    if (now >= endsAt) [used, endsAt] = [0, now + limit.perSeconds * 1_000];
    used += 1;
    return { limit, used, resetsInSeconds: Math.max(1, Math.ceil((endsAt - now) / 1_000)) };
  };
}
