import { LETHE } from '../domain/events.ts';
import type { Deps, Transaction } from './ports.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/**
 * The API key in whose name a way in submits: every request has a submitter, who may not approve it. It is made at its first
 * use, and nobody has a token of it, so that nothing else comes in under this name. Revoked, it is replaced.
 *
 * @param purpose the way in, such as `webhook:support`
 * @returns the key's id
 */
export async function submitterFor(
  tx: Transaction,
  deps: Pick<Deps, 'newId' | 'newToken' | 'encodeEvent'>,
  purpose: string,
): Promise<string> {
  const known = await tx.findKeyMadeFor(purpose);
  if (known !== undefined) return known;
  const id = deps.newId('ak');
  const scopes = ['requests:write'] as const;
  const made = await tx.insertApiKey({
    ...{ id, name: purpose, scopes, madeFor: purpose, tokenHash: deps.newToken().hash },
    ...{ createdAt: tx.now, createdBy: null, expiresAt: null, rateLimit: null },
  });
  if (!made) {
    const others = await tx.findKeyMadeFor(purpose);
    if (others === undefined) throw new Error(`there is no key for ${purpose}, and none can be made`);
    return others;
  }
  const data = { scopes: [...scopes], expires_at: null, rate_limit: null, made_for: purpose };
  await recordAdminEvent(tx, deps, { type: 'api_key.created', actor: LETHE, keyId: id, data });
  return id;
}
