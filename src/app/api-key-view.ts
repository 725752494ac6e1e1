import type { ApiKeyView } from './api-key-schema.ts';
import type { KeptApiKey } from './ports/keys.ts';

/** The view of a key: all that is known of it but its token. */
export function apiKeyView(key: KeptApiKey): ApiKeyView {
  return {
    id: key.id,
    name: key.name,
    scopes: [...key.scopes],
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
