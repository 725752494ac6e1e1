import { LetheError } from '../domain/errors.ts';
import type { RateLimit } from '../domain/rate-limit.ts';
import type { NewTokenView } from './api-key-schema.ts';
import { apiKeyView } from './api-key-view.ts';
import { mayDo, type Scope } from './authenticate.ts';
import { actorOf, type KeyKeeper } from './key-keeper.ts';
import type { Deps, Transaction } from './ports.ts';
import type { KeptApiKey, NewToken } from './ports/keys.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/** A key to be made, already of the right shape. */
export interface KeyWish {
  /** 1 to 100 characters. */
  readonly name: string;
  /** At least one. */
  readonly scopes: readonly Scope[];
  readonly expiresAt?: Date | undefined;
  readonly rateLimit?: RateLimit | undefined;
}

/** A key cannot pass on what it may not do itself. Code SCOPE_NOT_HELD. */
export class ScopeNotHeldError extends LetheError {
  readonly scope: string;
  constructor(scope: string) {
    super('SCOPE_NOT_HELD', `A key without the scope ${scope} cannot give it to another.`);
    this.scope = scope;
  }
}

/** The key would have ended before it began. Code COMMAND_INVALID. */
export class ExpiryPassedError extends LetheError {
  constructor() {
    super('COMMAND_INVALID', 'The key would have expired already.');
  }
}

type Means = Pick<Deps, 'store' | 'newId' | 'encodeEvent'>;

/**
 * Makes an API key and records who did.
 *
 * @returns the key with its token, which is stored nowhere
 * @throws ScopeNotHeldError; ExpiryPassedError
 */
export async function createApiKey(
  deps: Means & Pick<Deps, 'newToken'>,
  wish: KeyWish,
  keeper: KeyKeeper,
): Promise<NewTokenView> {
  const missing = keeper === 'local' ? undefined : wish.scopes.find((scope) => !mayDo(keeper, scope));
  if (missing !== undefined) throw new ScopeNotHeldError(missing);
  const token = deps.newToken();
  return deps.store.transaction(async (tx) => {
    if (wish.expiresAt !== undefined && wish.expiresAt <= tx.now) throw new ExpiryPassedError();
    const key = await addKey(tx, deps, { wish, keeper, hash: token.hash });
    // 256 random bits came twice: that is a broken source of random numbers.
    if (key === undefined) throw new Error('a new token is one that there was before');
    return { ...apiKeyView(key), token: token.token };
  });
}

/**
 * Makes an admin key of a token that lies in a file. One that there is or was already stays as it is, so that a token
 * that was revoked or replaced is not brought back.
 *
 * @returns whether a key was made
 */
export async function adoptAdminToken(deps: Means, hash: Uint8Array): Promise<boolean> {
  const wish: KeyWish = { name: 'admin', scopes: ['admin'] };
  return deps.store.transaction(
    async (tx) => (await addKey(tx, deps, { wish, keeper: 'local', hash })) !== undefined,
  );
}

interface Addition {
  readonly wish: KeyWish;
  readonly keeper: KeyKeeper;
  readonly hash: NewToken['hash'];
}

async function addKey(tx: Transaction, deps: Means, addition: Addition): Promise<KeptApiKey | undefined> {
  const { wish, keeper, hash } = addition;
  const key = {
    id: deps.newId('ak'),
    name: wish.name,
    scopes: [...new Set(wish.scopes)],
    createdAt: tx.now,
    createdBy: keeper === 'local' ? null : keeper.id,
    expiresAt: wish.expiresAt ?? null,
    rateLimit: wish.rateLimit ?? null,
  };
  if (!(await tx.insertApiKey({ ...key, tokenHash: hash }))) return undefined;
  // Not its name, which is a person's free text.
  const data = {
    scopes: key.scopes,
    expires_at: key.expiresAt?.toISOString() ?? null,
    rate_limit: key.rateLimit && {
      requests: key.rateLimit.requests,
      per_seconds: key.rateLimit.perSeconds,
    },
  };
  await recordAdminEvent(tx, deps, { type: 'api_key.created', actor: actorOf(keeper), keyId: key.id, data });
  return { ...key, lastUsedAt: null, revokedAt: null, rotatedAt: null, oldTokenUntil: null };
}
