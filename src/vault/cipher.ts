import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Sealed } from '../app/ports.ts';
import { LetheError } from '../domain/errors.ts';
import { createNonces } from './nonces.ts';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const nextNonce = createNonces(NONCE_BYTES);

/** A ciphertext that is not what it is said to be: another row's, changed, or of another key. Code VAULT_UNREADABLE. */
export class VaultUnreadableError extends LetheError {
  constructor(cause: unknown) {
    super('VAULT_UNREADABLE', 'A sealed value cannot be opened with the keys there are.', { cause });
  }
}

export interface SealContext {
  readonly key: Uint8Array;
  /** Binds the ciphertext to its row and column. */
  readonly aad: string;
}

/** AES-256-GCM: `head | nonce | ciphertext | tag`. The head is the caller's, to find the key by. */
export function seal(head: Uint8Array, plaintext: Uint8Array, { key, aad }: SealContext): Sealed {
  const nonce = nextNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([head, nonce, body, cipher.getAuthTag()]);
}

/** What `seal` made, without its head. Throws an error of the authentication when it is anything else. */
export function open(sealed: Uint8Array, { key, aad }: SealContext): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const tag = bytes.subarray(-TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(aad))
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
