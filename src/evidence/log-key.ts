import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { Vault } from '../app/ports.ts';
import type { LogStore } from '../app/ports/log.ts';
import { LetheError } from '../domain/errors.ts';
import { formatVerifierKey, signerOf, type NoteSigner } from './signed-note.ts';

/**
 * The key that signs the log of this name: made at the first start and kept in the database, sealed. However many
 * processes start at once, they all have the same one.
 *
 * @throws VaultUnreadableError when it was sealed under other keys than the vault has
 */
export async function openLogSigner(
  deps: { log: Pick<LogStore, 'keepKey'>; vault: Pick<Vault, 'lasting'> },
  origin: string,
): Promise<NoteSigner> {
  const made = signerOf(origin, generateKeyPairSync('ed25519').privateKey);
  const kept = await deps.log.keepKey({
    origin,
    verifierKey: formatVerifierKey(made),
    privateSealed: deps.vault.lasting.sealText(origin, pemOf(made), 'signing_key'),
  });
  const signer = signerOf(
    origin,
    createPrivateKey(deps.vault.lasting.openText(origin, kept.privateSealed, 'signing_key')),
  );
  if (formatVerifierKey(signer) === kept.verifierKey) return signer;
  throw new LetheError(
    'LOG_KEY_CHANGED',
    `The signing key of the log ${origin} is not the one that was made for it.`,
  );
}

function pemOf({ privateKey }: NoteSigner): string {
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}
