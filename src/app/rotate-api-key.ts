import { LetheError } from '../domain/errors.ts';
import type { NewTokenView } from './api-key-schema.ts';
import { apiKeyView } from './api-key-view.ts';
import { actorOf, ApiKeyNotFoundError, type KeyKeeper } from './key-keeper.ts';
import type { Deps } from './ports.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/** The key was revoked or has expired, and no token would make it open again. Code API_KEY_ENDED. */
export class ApiKeyEndedError extends LetheError {
  constructor() {
    super('API_KEY_ENDED', 'The API key was revoked or has expired; it gets no new token.');
  }
}

/**
 * Gives a key a new token. The old one opens for `graceSeconds` more; those before it end at once.
 *
 * @returns the key with its new token, which is stored nowhere
 * @throws ApiKeyNotFoundError; ApiKeyEndedError
 */
export async function rotateApiKey(
  deps: Pick<Deps, 'store' | 'encodeEvent' | 'newToken'>,
  command: { keyId: string; graceSeconds: number },
  keeper: KeyKeeper,
): Promise<NewTokenView> {
  const { keyId, graceSeconds } = command;
  const { token, hash } = deps.newToken();
  return deps.store.transaction(async (tx) => {
    const key = await tx.lockApiKey(keyId);
    if (key === undefined) throw new ApiKeyNotFoundError();
    if (key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= tx.now))
      throw new ApiKeyEndedError();
    await tx.replaceToken(keyId, { tokenHash: hash, graceSeconds });
    const data = { grace_seconds: graceSeconds };
    await recordAdminEvent(tx, deps, { type: 'api_key.rotated', actor: actorOf(keeper), keyId, data });
    const rotated = await tx.lockApiKey(keyId);
    return { ...apiKeyView(rotated ?? key), token };
  });
}
