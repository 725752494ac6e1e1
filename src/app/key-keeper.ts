import { LetheError } from '../domain/errors.ts';
import type { Actor } from '../domain/events.ts';
import type { ApiKey } from './ports/keys.ts';

/** Who makes and ends keys: another key over HTTP, or somebody on the machine itself, who may do everything. */
export type KeyKeeper = ApiKey | 'local';

export function actorOf(keeper: KeyKeeper): Actor {
  return keeper === 'local' ? { kind: 'local' } : { kind: 'api_key', id: keeper.id };
}

/** There is no key with this id. Code API_KEY_NOT_FOUND. */
export class ApiKeyNotFoundError extends LetheError {
  constructor() {
    super('API_KEY_NOT_FOUND', 'There is no API key with this id.');
  }
}
