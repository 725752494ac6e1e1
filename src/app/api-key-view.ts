import type { RateLimit } from '../domain/rate-limit.ts';
import type { KeptApiKey } from './ports/keys.ts';

/** A key as people and programs see it: all but its token. Times are RFC 3339. */
export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  /** Id of the key that made it, or `local` for one made on the machine itself. */
  readonly createdBy: string;
  readonly expiresAt: string | null;
  /** Right to the minute. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
  readonly rotatedAt: string | null;
  readonly oldTokenUntil: string | null;
  readonly rateLimit: RateLimit | null;
}

/** A key that has a new token, which is shown this once. */
export interface NewTokenView extends ApiKeyView {
  readonly token: string;
}

export function apiKeyView(key: KeptApiKey): ApiKeyView {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    createdAt: key.createdAt.toISOString(),
    createdBy: key.createdBy ?? 'local',
    expiresAt: textOf(key.expiresAt),
    lastUsedAt: textOf(key.lastUsedAt),
    revokedAt: textOf(key.revokedAt),
    rotatedAt: textOf(key.rotatedAt),
    oldTokenUntil: textOf(key.oldTokenUntil),
    rateLimit: key.rateLimit,
  };
}

function textOf(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
