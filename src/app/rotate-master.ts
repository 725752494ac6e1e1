import type { Actor } from '../domain/events.ts';
import type { Deps } from './ports.ts';
import { recordAdminEvent } from './record-admin-event.ts';

/** Keys wrapped anew in one transaction: it is short, so that no step waits for it. */
const BATCH = 500;

export interface Rotation {
  /** Names the master key that wraps everything now. */
  readonly masterId: string;
  readonly dataKeys: number;
  readonly vaultKeys: number;
}

/**
 * Wraps every key anew that the current master key does not wrap yet, while everything else goes on: whoever has both
 * master keys reads either. Broken off, it is begun again and does the rest.
 *
 * @param by who did it, for the trail; nothing is written of a rotation that found nothing to do
 * @throws LetheError MASTER_KEY_MISSING for a key of a master key that is not configured
 */
export async function rotateMaster(
  deps: Pick<Deps, 'store' | 'vault' | 'encodeEvent'>,
  by: Actor,
): Promise<Rotation> {
  const { masterId } = deps.vault;
  let dataKeys = 0;
  for (let after: string | undefined = ''; after !== undefined;) {
    const ids = await wrapBatch(deps, after);
    dataKeys += ids.length;
    after = ids.at(-1);
  }
  return deps.store.transaction(async (tx) => {
    const keys = await tx.lockVaultKeys({ notBy: masterId });
    await tx.replaceVaultKeys(keys.map((key) => deps.vault.rewrap(key)));
    const vaultKeys = keys.length;
    if (dataKeys + vaultKeys > 0) {
      const data = { master_key: masterId, data_keys: dataKeys, vault_keys: vaultKeys };
      await recordAdminEvent(tx, deps, { type: 'master_key.rotated', actor: by, data });
    }
    return { masterId, dataKeys, vaultKeys };
  });
}

/** The requests whose keys were wrapped. */
async function wrapBatch(
  { store, vault }: Pick<Deps, 'store' | 'vault'>,
  after: string,
): Promise<readonly string[]> {
  return store.transaction(async (tx) => {
    const keys = await tx.lockDataKeys({ notBy: vault.masterId, after, limit: BATCH });
    await tx.replaceDataKeys(keys.map((key) => vault.rewrap(key)));
    return keys.map(({ of }) => of);
  });
}
