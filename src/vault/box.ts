import { z } from 'zod';
import type { Sealed } from '../app/ports.ts';
import type { Box } from '../app/ports/vault.ts';
import type { PartPlace } from '../domain/access-package.ts';
import type { Subject } from '../domain/request.ts';
import { open, seal, VaultUnreadableError, type SealContext } from './cipher.ts';

/** The first byte of a ciphertext: under the keys that outlive requests, or under the request's own. */
export const FORMAT = { lasting: 1, ofRequest: 2 } as const;

/** What it is sealed as: texts and pieces of packages had keys apart before there were data keys. */
type Kind = 'text' | 'part';
export type KeyOf = (kind: Kind) => Uint8Array;

export interface BoxKeys {
  /** What new ciphertexts are sealed as. */
  readonly format: number;
  /** By the format of the ciphertext. */
  readonly keys: ReadonlyMap<number, KeyOf>;
}

const sealedSubject = z
  .strictObject({ userId: z.string().optional(), email: z.string().optional() })
  .transform(({ userId, email }): Subject => ({
    ...(userId !== undefined && { userId }),
    ...(email !== undefined && { email }),
  }));

interface Place {
  readonly kind: Kind;
  /** Binds the ciphertext to its row and column. */
  readonly aad: string;
}

export function createBox(keys: BoxKeys): Box {
  const text = (ownerId: string, field: string): Place => ({ kind: 'text', aad: `${ownerId}\0${field}` });
  // As JSON, which keeps ids that are not well-formed Unicode exactly as they came.
  const sealJson = (value: unknown, place: Place) =>
    sealAt(keys, Buffer.from(JSON.stringify(value), 'utf8'), place);
  return {
    sealSubject: (ownerId, subject) => sealJson(subject, text(ownerId, 'subject')),
    openSubject: (ownerId, sealed) => parsed(sealedSubject, openAt(keys, sealed, text(ownerId, 'subject'))),
    sealText: (ownerId, value, field = 'note') => sealJson(value, text(ownerId, field)),
    openText: (ownerId, sealed, field = 'note') =>
      parsed(z.string(), openAt(keys, sealed, text(ownerId, field))),
    sealPart: (place, bytes) => sealAt(keys, bytes, partAt(place)),
    openPart: (place, sealed) => openAt(keys, sealed, partAt(place)),
  };
}

function partAt({ requestId, taskId, file, seq }: PartPlace): Place {
  return { kind: 'part', aad: `${requestId}\0${taskId}\0${file}\0${seq}` };
}

function sealAt(box: BoxKeys, plaintext: Uint8Array, place: Place): Sealed {
  return seal(Buffer.from([box.format]), plaintext, contextOf(box, box.format, place));
}

function openAt(box: BoxKeys, sealed: Sealed, place: Place): Buffer {
  try {
    return open(sealed.subarray(1), contextOf(box, sealed[0], place));
  } catch (cause) {
    throw new VaultUnreadableError(cause);
  }
}

function contextOf({ keys }: BoxKeys, format: number | undefined, { kind, aad }: Place): SealContext {
  const keyOf = format === undefined ? undefined : keys.get(format);
  if (keyOf === undefined) throw new Error(`sealed in format ${format ?? 'none'}, which has no key here`);
  return { key: keyOf(kind), aad };
}

function parsed<T>(schema: z.ZodType<T>, bytes: Buffer): T {
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new VaultUnreadableError(cause);
  }
}
