import { LetheError } from '../domain/errors.ts';
import type { ApiKeyView } from './api-key-schema.ts';
import { apiKeyView } from './api-key-view.ts';
import { actorOf, ApiKeyNotFoundError, type KeyKeeper } from './key-keeper.ts';
import type { Deps, Transaction } from './ports.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/** Nobody could make a key over HTTP any more. Code LAST_ADMIN_KEY. */
export class LastAdminKeyError extends LetheError {
  constructor() {
    super(
      'LAST_ADMIN_KEY',
      'This is the last admin key that opens; it can only be revoked on the machine itself.',
    );
  }
}

/**
 * Ends a key at once, with all its tokens. Asking twice changes nothing.
 *
 * @returns the key as it is now
 * @throws ApiKeyNotFoundError; LastAdminKeyError when another key asks, and after it none could make keys
 */
export async function revokeApiKey(
  deps: Pick<Deps, 'store' | 'encodeEvent'>,
  keyId: string,
  keeper: KeyKeeper,
): Promise<ApiKeyView> {
  return deps.store.transaction(async (tx) => {
    // Before the key itself, so that of two keys that revoke each other one is too late.
    const admins = await tx.lockAdminKeys();
    const key = await keyOf(tx, keyId);
    if (key.revokedAt !== null) return apiKeyView(key);
    const isLast = admins.length === 1 && admins[0] === keyId;
    if (isLast && keeper !== 'local') throw new LastAdminKeyError();
    await tx.revokeApiKey(keyId);
    await recordAdminEvent(tx, deps, { type: 'api_key.revoked', actor: actorOf(keeper), keyId });
    return apiKeyView(await keyOf(tx, keyId));
  });
}

async function keyOf(tx: Transaction, keyId: string) {
  const key = await tx.lockApiKey(keyId);
  if (key === undefined) throw new ApiKeyNotFoundError();
  return key;
}
