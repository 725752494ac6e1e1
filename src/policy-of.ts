import type { PolicyRule } from './config.ts';
import type { Policy } from './domain/policy.ts';
import type { Regulation } from './domain/regulation.ts';
import type { Channel, RequestType } from './domain/request.ts';

/**
 * What applies where no rule says otherwise. A caller of the API has decided already; what comes in through a file is
 * looked at by somebody who did not send it. What the sentinel reopens has been approved before.
 */
const DEFAULTS: Readonly<Record<Channel, Policy>> = {
  api: { identityRequired: false, approvalsNeeded: 0, coolingOffMs: 0 },
  import: { identityRequired: false, approvalsNeeded: 1, coolingOffMs: 0 },
  // Whoever can write a ticket has asked: nobody has looked who that is.
  webhook: { identityRequired: true, approvalsNeeded: 1, coolingOffMs: 0 },
  replay: { identityRequired: false, approvalsNeeded: 0, coolingOffMs: 0 },
  sentinel: { identityRequired: false, approvalsNeeded: 0, coolingOffMs: 0 },
};

const APPROVALS = { none: 0, one: 1, two: 2 } as const;
const MINUTE_MS = 60_000;

/**
 * Finds what must happen before a request may be carried out: of each setting, the first rule that fits decides. Data that
 * is given to the wrong person is a breach, so where access is asked for, identity is required whatever the source, and only
 * a rule that names the type of request says otherwise. No rule is for what Lethe opens again itself: it was decided before.
 */
export function policyOf(
  rules: readonly PolicyRule[],
  from: { channel: Channel; regulation: Regulation; type: RequestType; source?: string | undefined },
): Policy {
  const { channel, regulation, type } = from;
  if (channel === 'replay' || channel === 'sentinel') return DEFAULTS[channel];
  const fitting = rules.filter(
    ({ sources, regulations, types }) =>
      (sources?.some((one) => isFrom(from, one)) ?? true) &&
      (regulations?.includes(regulation) ?? true) &&
      (types?.includes(type) ?? true),
  );
  const first = <T>(of: (rule: PolicyRule) => T | undefined): T | undefined =>
    fitting.map(of).find((value) => value !== undefined);
  const defaults = DEFAULTS[channel];
  const needsIdentity = type !== 'erasure' || defaults.identityRequired;
  const identity = first((rule) =>
    type !== 'erasure' && rule.types === undefined ? undefined : rule.identity,
  );
  const approval = first((rule) => rule.approval);
  const minutes = first((rule) => rule.coolingOffMinutes);
  return {
    identityRequired: identity === undefined ? needsIdentity : identity === 'required',
    approvalsNeeded: approval === undefined ? defaults.approvalsNeeded : APPROVALS[approval],
    coolingOffMs: minutes === undefined ? defaults.coolingOffMs : minutes * MINUTE_MS,
  };
}

/** `webhook` is every source of tickets, `webhook:support` one. */
function isFrom(
  { channel, source }: { channel: Channel; source?: string | undefined },
  named: string,
): boolean {
  return named === channel || (source !== undefined && named === `${channel}:${source}`);
}
