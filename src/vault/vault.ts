import { createHmac, randomBytes } from 'node:crypto';
import type { Vault } from '../app/ports.ts';
import type { DataKey } from '../app/ports/vault.ts';
import { comparableEmail } from '../domain/email.ts';
import { SubjectGoneError } from '../domain/errors.ts';
import type { SubjectRef } from '../domain/request.ts';
import { createBox, FORMAT, type KeyOf } from './box.ts';
import { KEY_BYTES } from './cipher.ts';
import type { LastingKeys } from './lasting-keys.ts';
import type { MasterKeys } from './master-keys.ts';

/** The version of the key of pseudonyms; written beside each. */
const REF_VERSION = 1;

/**
 * The vault: AES-256-GCM for what must be read again, HMAC-SHA-256 for what must only be recognised. What belongs to a
 * request is sealed under the request's own key, and is gone with it.
 *
 * @param parts.tenant names the controller; the same person has another pseudonym under another tenant
 */
export function createVault(parts: { masters: MasterKeys; keys: LastingKeys; tenant: string }): Vault {
  const { masters, keys, tenant } = parts;
  const lastingKey: KeyOf = (kind) => (kind === 'part' ? keys['package-part'] : keys.seal);
  const lasting = createBox({ format: FORMAT.lasting, keys: new Map([[FORMAT.lasting, lastingKey]]) });
  // A key that was just made need not be unwrapped to be used; it is forgotten with what it is wrapped in.
  const fresh = new WeakMap<DataKey, Uint8Array>();
  const refOf = (kind: SubjectRef['kind'], identifier: string): SubjectRef => ({
    kind,
    keyVersion: REF_VERSION,
    value: createHmac('sha256', keys['subject-ref'])
      .update(refInput(tenant, kind, identifier))
      .digest('hex'),
  });
  return {
    // An address in another case may be the same person's: a legal hold must rather catch one too many.
    subjectRefs: ({ userId, email }) => [
      ...(userId === undefined ? [] : [refOf('user_id', userId)]),
      ...(email === undefined ? [] : [refOf('email', comparableEmail(email, 'case_insensitive'))]),
    ],
    fingerprint: (text) => createHmac('sha256', keys.fingerprint).update(text).digest(),
    newDataKey: (requestId) => {
      const key = randomBytes(KEY_BYTES);
      const dataKey = { requestId, wrapped: masters.wrap(requestId, key) };
      fresh.set(dataKey, key);
      return dataKey;
    },
    boxOf: (key) => {
      if (key === null) throw new SubjectGoneError();
      const own = fresh.get(key) ?? unwrapped(masters, key);
      if (own === undefined) return lasting;
      // What the request had sealed before there were data keys is read as ever.
      const byFormat = new Map<number, KeyOf>([
        [FORMAT.lasting, lastingKey],
        [FORMAT.ofRequest, () => own],
      ]);
      return createBox({ format: FORMAT.ofRequest, keys: byFormat });
    },
    lasting,
    masterId: masters.currentId,
    rewrap: (key) => ({ of: key.of, wrapped: masters.wrap(key.of, masters.unwrap(key)) }),
  };
}

function unwrapped(masters: MasterKeys, { requestId, wrapped }: DataKey): Uint8Array | undefined {
  return wrapped === null ? undefined : masters.unwrap({ of: requestId, wrapped });
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
