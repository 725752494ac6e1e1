import { createHash, hkdfSync } from 'node:crypto';
import type { Sealed } from '../app/ports.ts';
import type { WrappedKey } from '../app/ports/vault.ts';
import { LetheError } from '../domain/errors.ts';
import { KEY_BYTES, open, seal, VaultUnreadableError } from './cipher.ts';

const WRAP_VERSION = 1;
const ID_BYTES = 8;

/** Keys are wrapped by a master key that this process was not given. Code MASTER_KEY_MISSING. */
export class MasterKeyMissingError extends LetheError {
  /** @param id of the master key; undefined where only its absence is known */
  constructor(id: string | undefined) {
    super(
      'MASTER_KEY_MISSING',
      id === undefined
        ? 'The database was filled under another master key than those that are configured.'
        : `The database holds keys that are wrapped by the master key ${id}, which is not configured.`,
    );
  }
}

/** The current master key first; the others only unwrap. */
export type MasterKeyList = readonly [Uint8Array, ...Uint8Array[]];

export interface MasterKeys {
  /** Of the current one. */
  readonly currentId: string;
  readonly ids: readonly string[];
  /** `version | id of the master key | nonce | ciphertext | tag`, under the current one, for this use alone. */
  wrap(of: string, key: Uint8Array): Sealed;
  /** @throws MasterKeyMissingError, VaultUnreadableError */
  unwrap(key: WrappedKey): Uint8Array;
}

/** @throws LetheError MASTER_KEY_INVALID for any that is not 32 bytes long */
export function createMasterKeys(list: MasterKeyList): MasterKeys {
  for (const { length } of list) {
    if (length !== KEY_BYTES)
      throw new LetheError('MASTER_KEY_INVALID', `The master key must be ${KEY_BYTES} bytes long.`);
  }
  const [current] = list;
  const currentId = idOf(current);
  const wrappers = new Map(list.map((key) => [idOf(key), wrapperOf(key)]));
  const wrapper = wrappers.get(currentId) ?? wrapperOf(current);
  const head = Buffer.concat([Buffer.from([WRAP_VERSION]), Buffer.from(currentId, 'hex')]);
  return {
    currentId,
    ids: [...wrappers.keys()],
    wrap: (of, key) => seal(head, key, { key: wrapper, aad: aadOf(of) }),
    unwrap: ({ of, wrapped }) => {
      const id = masterIdOf(wrapped);
      const key = wrappers.get(id);
      if (key === undefined) throw new MasterKeyMissingError(id);
      try {
        return open(wrapped.subarray(head.length), { key, aad: aadOf(of) });
      } catch (cause) {
        throw new VaultUnreadableError(cause);
      }
    },
  };
}

/** The id of the master key that wraps a key. */
function masterIdOf(wrapped: Sealed): string {
  const bytes = Buffer.from(wrapped);
  if (bytes[0] !== WRAP_VERSION)
    throw new VaultUnreadableError(new Error(`wrapped by version ${bytes[0] ?? 'none'}`));
  return bytes.toString('hex', 1, 1 + ID_BYTES);
}

/** It names the key and gives nothing of it away: so no numbers have to be configured. */
function idOf(masterKey: Uint8Array): string {
  const hash = createHash('sha256').update('lethe/master-key-id\0').update(masterKey);
  return hash.digest('hex').slice(0, 2 * ID_BYTES);
}

function wrapperOf(masterKey: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', 'lethe/v2/wrap', KEY_BYTES));
}

function aadOf(of: string): string {
  return `key\0${of}`;
}
