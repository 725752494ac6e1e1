import { createHash, randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import type { NewToken } from './app/ports/keys.ts';

/**
 * A new id: a prefix that says what it is (and keeps spreadsheets from taking it for a number), then a UUIDv7 in hex,
 * so that ids of one kind sort by time.
 */
export function newId(prefix: 'er' | 'tk' | 'ak' | 'hd' | 'im' | 'wd' | 'cb' | 'dl'): string {
  return `${prefix}_${v7().replaceAll('-', '')}`;
}

/** A new API token: 256 random bits behind a prefix that secret scanners can look for. */
export function newToken(): NewToken {
  const token = `lethe_${randomBytes(32).toString('base64url')}`;
  return { token, hash: hashToken(token) };
}

/** SHA-256 of a token: all that is stored of it. A token is random, so a plain hash cannot be guessed back. */
export function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token, 'utf8').digest();
}
