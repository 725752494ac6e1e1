import type { Quota, RateLimit } from '../../domain/rate-limit.ts';

/** What the use cases need to keep API keys. Part of ports.ts. */

/** A key that opens, as a call came with it. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
}

/** A key with all that is known of it but its token. */
export interface KeptApiKey extends ApiKey {
  readonly createdAt: Date;
  /** Id of the key that made it; null for one made on the machine itself. */
  readonly createdBy: string | null;
  readonly expiresAt: Date | null;
  /** Right to the minute. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly rotatedAt: Date | null;
  /** Until when a token that was replaced still opens, or opened last; null where none was replaced. */
  readonly oldTokenUntil: Date | null;
  /** Null for the configured limit. */
  readonly rateLimit: RateLimit | null;
}

export type NewApiKey = Pick<
  KeptApiKey,
  'id' | 'name' | 'scopes' | 'createdAt' | 'createdBy' | 'expiresAt' | 'rateLimit'
> & {
  readonly tokenHash: Uint8Array;
  /** The way in that submits in its name; left out for one that somebody has a token of. */
  readonly madeFor?: string;
};

/** A token as it is shown once, and the SHA-256 that is kept of it. */
export interface NewToken {
  readonly token: string;
  readonly hash: Uint8Array;
}

/** A call that came with a token. */
export interface KeyUse {
  readonly tokenHash: Uint8Array;
  /** Names where the call came from without giving it away. */
  readonly origin: string;
  /** Of keys that have none of their own. */
  readonly keyLimit: RateLimit;
  /** Of wrong tokens from one origin. */
  readonly wrongKeyLimit: RateLimit;
}

export interface KeyStore {
  /**
   * Finds the key that a token opens and counts the call: for the key, or, where there is none, for the origin. A wrong
   * token never counts for a key, nor a right one for its origin.
   */
  useApiKey(use: KeyUse): Promise<{ readonly key: ApiKey | undefined; readonly quota: Quota }>;
  /**
   * Counts something that may be done so often only, in all processes together.
   *
   * @param bucket whose count it is; a name, or a fingerprint where it is somebody's
   */
  countUse(bucket: string, limit: RateLimit): Promise<Quota>;
  /** The oldest first. */
  listApiKeys(): Promise<readonly KeptApiKey[]>;
  /** Of what was done to keys. */
  listAdminEventBytes(page: { after: number; limit: number }): Promise<readonly Uint8Array[]>;
}

export interface KeyTransaction {
  /** The id of the key that was made for a way in and is not revoked. */
  findKeyMadeFor(purpose: string): Promise<string | undefined>;
  /** False when there is or was a key with this token, or is one for this way in; nothing is changed then. */
  insertApiKey(key: NewApiKey): Promise<boolean>;
  /** Locks the key until the transaction ends. */
  lockApiKey(id: string): Promise<KeptApiKey | undefined>;
  /** Locks all keys with the scope `admin` that open, and gives their ids: none of them ends meanwhile. */
  lockAdminKeys(): Promise<readonly string[]>;
  revokeApiKey(id: string): Promise<void>;
  /** Puts a new token in the place of the key's, which opens for `graceSeconds` more; those before it no longer. */
  replaceToken(id: string, change: { tokenHash: Uint8Array; graceSeconds: number }): Promise<void>;
  /** The next event's `seq` in the trail of keys, which nobody else writes to until the transaction ends. */
  lockAdminTrail(): Promise<number>;
  insertAdminEvent(event: { seq: number; type: string; bytes: Uint8Array }): Promise<void>;
}
