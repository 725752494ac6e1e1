import type { ApiKey, Deps } from './ports.ts';

export const SCOPES = ['requests:write', 'requests:read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Whether the key may do what needs `scope`; `admin` may do everything. */
export function mayDo(key: ApiKey, scope: Scope): boolean {
  return key.scopes.includes(scope) || key.scopes.includes('admin');
}

/** The API key that a token's SHA-256 belongs to, or undefined. Tokens themselves are stored nowhere. */
export async function findKey(deps: Pick<Deps, 'store'>, tokenHash: Uint8Array): Promise<ApiKey | undefined> {
  return deps.store.findApiKey(tokenHash);
}
