import { isExceeded, type Quota, type RateLimit } from '../domain/rate-limit.ts';
import type { Deps } from './ports.ts';
import type { ApiKey } from './ports/keys.ts';

export const SCOPES = [
  'requests:write',
  'requests:read',
  'requests:approve',
  'holds:write',
  'audit:read',
  'reports:read',
  'access:read',
  'callbacks:write',
  'admin',
] as const;
export type Scope = (typeof SCOPES)[number];

/** What a key may do with each scope. */
export const SCOPE_MEANINGS: Readonly<Record<Scope, string>> = {
  'requests:write': 'submits and cancels requests',
  'requests:read': 'reads requests and whom they are about',
  'requests:approve': 'verifies identities, approves, refuses, extends, retries and closes requests',
  'holds:write': 'sets and releases legal holds',
  'audit:read': 'reads the events of requests and of API keys',
  'reports:read': 'reads what is due, the register and the summary',
  'access:read': 'downloads access packages',
  'callbacks:write': 'registers callbacks and reads their deliveries',
  admin: 'makes keys and may do everything',
};

/** Whether who has these scopes may do what needs `scope`; `admin` may do everything. */
export function mayDo({ scopes }: Pick<ApiKey, 'scopes'>, scope: string): boolean {
  return scopes.includes(scope) || scopes.includes('admin');
}

/** Wrong keys from one address. Far more than a mistake brings, far too few to be worth a guess. */
export const WRONG_KEY_LIMIT: RateLimit = { requests: 30, perSeconds: 60 };

/** A call that came with a token. */
export interface TokenUse {
  /** Tokens themselves are stored nowhere. */
  readonly tokenHash: Uint8Array;
  /** The address that the call came from, or the network where it may change its address at will. */
  readonly network: string;
  /** Of keys that have none of their own. */
  readonly keyLimit: RateLimit;
}

/** What became of it. `quota` is that of the key, or, for a wrong one, of wrong keys from its address. */
export type Authentication =
  | { readonly outcome: 'accepted'; readonly key: ApiKey; readonly quota: Quota }
  | { readonly outcome: 'refused'; readonly key: undefined; readonly quota: Quota }
  | { readonly outcome: 'limited'; readonly key: ApiKey | undefined; readonly quota: Quota };

/**
 * Finds the API key that a token opens, and counts the call. All processes on one database count together. What a good
 * key may do does not depend on what else comes from its address, so nobody can lock it out with wrong ones.
 */
export async function authenticate(
  deps: Pick<Deps, 'store' | 'vault'>,
  { tokenHash, network, keyLimit }: TokenUse,
): Promise<Authentication> {
  // Addresses are personal data too, and to count them their fingerprints do.
  const origin = `from_${Buffer.from(deps.vault.fingerprint(`network\0${network}`)).toString('hex')}`;
  const wrongKeyLimit = WRONG_KEY_LIMIT;
  const { key, quota } = await deps.store.useApiKey({ tokenHash, origin, keyLimit, wrongKeyLimit });
  if (isExceeded(quota)) return { outcome: 'limited', key, quota };
  return key === undefined ? { outcome: 'refused', key, quota } : { outcome: 'accepted', key, quota };
}
