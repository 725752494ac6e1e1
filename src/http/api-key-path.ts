import type { Request } from 'express';
import { ApiKeyNotFoundError } from '../app/key-keeper.ts';

const API_KEY_ID = /^ak_[0-9a-f]{32}$/;

/** The id in the path. Throws ApiKeyNotFoundError when it cannot be an id of ours: then nothing is looked for. */
export function apiKeyIdIn(req: Request): string {
  const { id } = req.params;
  if (typeof id !== 'string' || !API_KEY_ID.test(id)) throw new ApiKeyNotFoundError();
  return id;
}
