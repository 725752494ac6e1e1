import { hkdfSync, randomBytes } from 'node:crypto';
import { KEY_BYTES } from './cipher.ts';

/** Each use has a key of its own. Those that data keys have replaced read what was sealed before. */
export const USES = ['subject-ref', 'fingerprint', 'seal', 'package-part'] as const;
export type Use = (typeof USES)[number];

/** The keys that outlive requests. */
export type LastingKeys = Readonly<Record<Use, Uint8Array>>;

export function randomKeys(): LastingKeys {
  return keysBy(() => randomBytes(KEY_BYTES));
}

/** As versions before this one had them: they follow from the master key, so pseudonyms and ciphertexts stay. */
export function derivedKeys(masterKey: Uint8Array): LastingKeys {
  return keysBy((use) => Buffer.from(hkdfSync('sha256', masterKey, '', `lethe/v1/${use}`, KEY_BYTES)));
}

export function keysBy(keyOf: (use: Use) => Uint8Array): LastingKeys {
  return {
    'subject-ref': keyOf('subject-ref'),
    fingerprint: keyOf('fingerprint'),
    seal: keyOf('seal'),
    'package-part': keyOf('package-part'),
  };
}
