import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { z } from 'zod';
import type { Sealed, Vault } from '../app/ports.ts';
import type { PartPlace } from '../domain/access-package.ts';
import { comparableEmail } from '../domain/email.ts';
import { LetheError } from '../domain/errors.ts';
import type { Subject, SubjectRef } from '../domain/request.ts';
import { createNonces } from './nonces.ts';

/** The version of the keys derived here; written beside every pseudonym and into every ciphertext. */
const KEY_VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const nextNonce = createNonces(NONCE_BYTES);
const MASTER_KEY_BYTES = 32;

const sealedSubject = z
  .strictObject({ userId: z.string().optional(), email: z.string().optional() })
  .transform(({ userId, email }): Subject => ({
    ...(userId !== undefined && { userId }),
    ...(email !== undefined && { email }),
  }));

/** A ciphertext that is not what it is said to be: another row's, changed, or of another key. Code VAULT_UNREADABLE. */
export class VaultUnreadableError extends LetheError {
  constructor(cause: unknown) {
    super('VAULT_UNREADABLE', 'A sealed value cannot be opened with the configured master key.', { cause });
  }
}

/**
 * The vault: AES-256-GCM for what must be read again, HMAC-SHA-256 for what must only be recognised. Each use has a
 * key of its own, derived from the master key by HKDF-SHA-256.
 *
 * @param options.masterKey 32 bytes
 * @param options.tenant names the controller; the same person has another pseudonym under another tenant
 */
export function createVault(options: { masterKey: Uint8Array; tenant: string }): Vault {
  const { masterKey, tenant } = options;
  if (masterKey.length !== MASTER_KEY_BYTES) {
    throw new LetheError('MASTER_KEY_INVALID', `The master key must be ${MASTER_KEY_BYTES} bytes long.`);
  }
  const derive = (use: string) =>
    Buffer.from(hkdfSync('sha256', masterKey, '', `lethe/v${KEY_VERSION}/${use}`, 32));
  const sealKey = derive('seal');
  const refKey = derive('subject-ref');
  const fingerprintKey = derive('fingerprint');
  const partKey = derive('package-part');
  const sealed = (ownerId: string, field: string) => ({ key: sealKey, aad: `${ownerId}\0${field}` });
  const refOf = (kind: SubjectRef['kind'], identifier: string): SubjectRef => ({
    kind,
    keyVersion: KEY_VERSION,
    value: createHmac('sha256', refKey)
      .update(refInput(tenant, kind, identifier))
      .digest('hex'),
  });
  return {
    // An address in another case may be the same person's: a legal hold must rather catch one too many.
    subjectRefs: ({ userId, email }) => [
      ...(userId === undefined ? [] : [refOf('user_id', userId)]),
      ...(email === undefined ? [] : [refOf('email', comparableEmail(email, 'case_insensitive'))]),
    ],
    // As JSON, which keeps ids that are not well-formed Unicode exactly as they came.
    sealSubject: (ownerId, subject) => seal(JSON.stringify(subject), sealed(ownerId, 'subject')),
    openSubject: (ownerId, value) => openAs(sealedSubject, value, sealed(ownerId, 'subject')),
    sealText: (ownerId, text, field = 'note') => seal(JSON.stringify(text), sealed(ownerId, field)),
    openText: (ownerId, value, field = 'note') => openAs(z.string(), value, sealed(ownerId, field)),
    sealPart: (place, bytes) => sealBytes(bytes, { key: partKey, aad: aadOf(place) }),
    openPart: (place, value) => openBytes(value, { key: partKey, aad: aadOf(place) }),
    fingerprint: (text) => createHmac('sha256', fingerprintKey).update(text).digest(),
  };
}

/**
 * `"v1\0" tenant "\0" kind "\0" identifier`. An id that is not well-formed has no UTF-8: its UTF-16 code units stand
 * in, under a kind of their own, so that two such ids never share a pseudonym.
 */
function refInput(tenant: string, kind: string, identifier: string): Buffer {
  const wellFormed = identifier.isWellFormed();
  return Buffer.concat([
    Buffer.from(`v1\0${tenant}\0${kind}${wellFormed ? '' : '_utf16'}\0`, 'utf8'),
    Buffer.from(identifier, wellFormed ? 'utf8' : 'utf16le'),
  ]);
}

interface SealContext {
  readonly key: Buffer;
  /** Binds the ciphertext to its row and column. */
  readonly aad: string;
}

function aadOf({ requestId, taskId, file, seq }: PartPlace): string {
  return `${requestId}\0${taskId}\0${file}\0${seq}`;
}

function seal(plaintext: string, context: SealContext): Sealed {
  return sealBytes(Buffer.from(plaintext, 'utf8'), context);
}

/** `version | nonce | ciphertext | tag`. */
function sealBytes(plaintext: Uint8Array, { key, aad }: SealContext): Sealed {
  const nonce = nextNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.from([KEY_VERSION]), nonce, body, cipher.getAuthTag()]);
}

function openAs<T>(schema: z.ZodType<T>, value: Sealed, context: SealContext): T {
  try {
    return schema.parse(JSON.parse(open(value, context).toString('utf8')));
  } catch (cause) {
    throw new VaultUnreadableError(cause);
  }
}

function openBytes(value: Sealed, context: SealContext): Uint8Array {
  try {
    return open(value, context);
  } catch (cause) {
    throw new VaultUnreadableError(cause);
  }
}

function open(value: Sealed, { key, aad }: SealContext): Buffer {
  const bytes = Buffer.from(value);
  if (bytes[0] !== KEY_VERSION) throw new Error(`sealed under key version ${bytes[0] ?? 'none'}`);
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
  const tag = bytes.subarray(-TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(aad))
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
