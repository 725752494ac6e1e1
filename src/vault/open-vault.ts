import type { Vault } from '../app/ports.ts';
import type { EarlySeal, VaultStore, WrappedKey } from '../app/ports/vault.ts';
import { createBox, FORMAT } from './box.ts';
import { derivedKeys, keysBy, randomKeys, USES, type LastingKeys } from './lasting-keys.ts';
import {
  createMasterKeys,
  MasterKeyMissingError,
  type MasterKeyList,
  type MasterKeys,
} from './master-keys.ts';
import { createVault } from './vault.ts';

/**
 * Opens the vault of a database: with the keys that outlive requests, which are made at the first start. Any number of
 * processes may start at once; the keys of the first count.
 *
 * @throws LetheError MASTER_KEY_INVALID, MASTER_KEY_MISSING when a key in the database is wrapped by none of the master
 *   keys, VAULT_UNREADABLE
 */
export async function openVault(
  store: VaultStore,
  options: { masterKeys: MasterKeyList; tenant: string },
): Promise<Vault> {
  const { masterKeys, tenant } = options;
  const masters = createMasterKeys(masterKeys);
  let kept = await store.listVaultKeys();
  if (kept.length < USES.length) {
    const first = firstKeys(await store.findEarlySeal(), masterKeys);
    await store.insertVaultKeys(USES.map((use) => ({ of: use, wrapped: masters.wrap(use, first[use]) })));
    kept = await store.listVaultKeys();
  }
  const keys = unwrapAll(masters, kept);
  // Said now, and not by the first step that needs it.
  const other = await store.findOtherMaster(masters.ids);
  if (other !== undefined) throw new MasterKeyMissingError(other);
  return createVault({ masters, keys, tenant });
}

function unwrapAll(masters: MasterKeys, kept: readonly WrappedKey[]): LastingKeys {
  return keysBy((use) => {
    const key = kept.find(({ of }) => of === use);
    if (key === undefined) throw new Error(`the vault has no key for ${use}`);
    return masters.unwrap(key);
  });
}

/** Keys of chance, so that they do not follow from a master key that is given up one day; where there can be any. */
function firstKeys(early: EarlySeal | undefined, masterKeys: MasterKeyList): LastingKeys {
  if (early === undefined) return randomKeys();
  const { sample } = early;
  const used = sample === undefined ? masterKeys[0] : masterKeys.find((key) => opens(key, sample));
  if (used === undefined) throw new MasterKeyMissingError(undefined);
  return derivedKeys(used);
}

function opens(masterKey: Uint8Array, { ownerId, field, sealed }: NonNullable<EarlySeal['sample']>): boolean {
  const { seal } = derivedKeys(masterKey);
  const box = createBox({ format: FORMAT.lasting, keys: new Map([[FORMAT.lasting, () => seal]]) });
  try {
    if (field === 'subject') box.openSubject(ownerId, sealed);
    else box.openText(ownerId, sealed, field);
    return true;
  } catch {
    return false;
  }
}
