import type { IdentityMethod } from '../domain/policy.ts';
import { decide, requireState, type Decision } from './decide.ts';
import { passGates } from './pass-gates.ts';
import type { Deps } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/**
 * Records how the subject's identity was established. A second time changes nothing.
 *
 * @throws RequestStateForbidsError when the request is past it
 */
export async function verifyIdentity(
  deps: Deps,
  decision: Decision & { method: IdentityMethod },
): Promise<RequestView | undefined> {
  const { method } = decision;
  return decide(
    deps,
    { ...decision, kind: 'identity_verified', ground: method },
    async ({ tx, scope, actor }) => {
      if (scope.request.identityVerifiedAt !== null) return false;
      requireState(scope, 'verify its subject\u2019s identity', ['awaiting_identity', 'on_hold']);
      const patch = { identityVerifiedAt: tx.now };
      await passGates(tx, deps, {
        request: { ...scope.request, ...patch },
        patch,
        drafts: [{ type: 'request.identity_verified', actor, data: { method } }],
      });
      return true;
    },
  );
}
