import { createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { DataKey, Vault } from '../../src/app/ports.ts';
import type { EarlySeal, VaultStore, WrappedKey } from '../../src/app/ports/vault.ts';
import { SubjectGoneError } from '../../src/domain/errors.ts';
import { VaultUnreadableError } from '../../src/vault/cipher.ts';
import { derivedKeys, randomKeys, USES } from '../../src/vault/lasting-keys.ts';
import { createMasterKeys, MasterKeyMissingError } from '../../src/vault/master-keys.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { createVault } from '../../src/vault/vault.ts';

const [OLD, NEW, OTHER] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
if (OLD === undefined || NEW === undefined || OTHER === undefined) throw new Error('three keys');
const keys = randomKeys();
const vaultOf = (current: Uint8Array, ...others: Uint8Array[]): Vault =>
  createVault({ masters: createMasterKeys([current, ...others]), keys, tenant: 'default' });
const vault = vaultOf(OLD);
const PLACE = { requestId: 'er_1', taskId: 'tk_1', file: 'user', seq: 0 } as const;

function wrappedOf({ wrapped }: DataKey): Uint8Array {
  if (wrapped === null) throw new Error('it is not wrapped');
  return wrapped;
}
const bytesOf = (key: DataKey) => Buffer.from(wrappedOf(key)).toString('hex');

describe('a data key', () => {
  it('is wrapped as documented: version, id of the master key, nonce, AES-256-GCM bound to its request', () => {
    const wrapped = wrappedOf(vault.newDataKey('er_1'));
    const id = createHash('sha256').update('lethe/master-key-id\0').update(OLD).digest().subarray(0, 8);
    expect([wrapped.length, wrapped[0]]).toEqual([69, 1]);
    expect(Buffer.from(wrapped.subarray(1, 9))).toEqual(id);
    expect(vault.masterId).toBe(id.toString('hex'));
    const wrapper = Buffer.from(hkdfSync('sha256', OLD, '', 'lethe/v2/wrap', 32));
    const decipher = createDecipheriv('aes-256-gcm', wrapper, wrapped.subarray(9, 21));
    decipher.setAAD(Buffer.from('key\0er_1')).setAuthTag(wrapped.subarray(-16));
    const key = Buffer.concat([decipher.update(wrapped.subarray(21, -16)), decipher.final()]);
    expect(key).toHaveLength(32);
  });

  it('is another one each time', () => {
    expect(new Set(Array.from({ length: 50 }, () => bytesOf(vault.newDataKey('er_1')))).size).toBe(50);
  });

  it('opens what was sealed under it: subject, texts and pieces, in format 2', () => {
    const key = vault.newDataKey('er_1');
    const box = vault.boxOf(key);
    const later = vault.boxOf({ ...key });
    const subject = box.sealSubject('er_1', { userId: 'jane', email: 'jane@example.org' });
    expect(subject[0]).toBe(2);
    expect(later.openSubject('er_1', subject)).toEqual({ userId: 'jane', email: 'jane@example.org' });
    expect(later.openText('tk_1', box.sealText('tk_1', 'words', 'progress'), 'progress')).toBe('words');
    expect(Buffer.from(later.openPart(PLACE, box.sealPart(PLACE, Buffer.from('piece')))).toString()).toBe(
      'piece',
    );
  });

  it('opens nothing for another row or place, nothing of another request, and nothing that was changed', () => {
    const box = vault.boxOf(vault.newDataKey('er_1'));
    const subject = box.sealSubject('er_1', { userId: 'jane' });
    const part = box.sealPart(PLACE, Buffer.from('piece'));
    const changed = Buffer.from(subject);
    changed[20] = (changed[20] ?? 0) ^ 1;
    const others = [
      () => box.openSubject('er_2', subject),
      () => box.openText('er_1', subject, 'note'),
      () => box.openPart({ ...PLACE, seq: 1 }, part),
      () => box.openSubject('er_1', changed),
      () => box.openSubject('er_1', subject.subarray(0, 20)),
      () => vault.boxOf(vault.newDataKey('er_1')).openSubject('er_1', subject),
      () => vault.lasting.openSubject('er_1', subject),
    ];
    for (const open of others) expect(open).toThrow(VaultUnreadableError);
  });

  it('that belongs to another request is refused, as is one that was changed', () => {
    const wrapped = wrappedOf(vault.newDataKey('er_1'));
    expect(() => vault.boxOf({ requestId: 'er_2', wrapped })).toThrow(VaultUnreadableError);
    for (const at of [0, 15, 30, 68]) {
      const changed = Buffer.from(wrapped);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => vault.boxOf({ requestId: 'er_1', wrapped: changed })).toThrow(VaultUnreadableError);
    }
  });

  it('of a master key that is not there is refused by the name of that key', () => {
    const key = vault.newDataKey('er_1');
    const refused = () => vaultOf(NEW).boxOf(key);
    expect(refused).toThrow(MasterKeyMissingError);
    expect(refused).toThrow(vault.masterId);
    expect(refused).not.toThrow(OLD.toString('hex'));
  });

  it('is read by whoever has its master key beside another one, and wraps under the current one alone', () => {
    const both = vaultOf(NEW, OLD);
    const key = vault.newDataKey('er_1');
    const subject = vault.boxOf(key).sealSubject('er_1', { userId: 'jane' });
    expect(both.boxOf(key).openSubject('er_1', subject)).toEqual({ userId: 'jane' });
    const { of, wrapped } = both.rewrap({ of: 'er_1', wrapped: wrappedOf(key) });
    const anew = { requestId: of, wrapped };
    expect(vaultOf(NEW).boxOf(anew).openSubject('er_1', subject)).toEqual({ userId: 'jane' });
    expect(() => vault.boxOf(anew)).toThrow(both.masterId);
    expect(() => vault.boxOf(both.newDataKey('er_2'))).toThrow(MasterKeyMissingError);
  });

  it('that was destroyed opens nothing', () => {
    expect(() => vault.boxOf(null)).toThrow(SubjectGoneError);
  });
});

describe('a request from before there were data keys', () => {
  it('is read and sealed under the key that outlives it, as before', () => {
    const box = vault.boxOf({ requestId: 'er_1', wrapped: null });
    const before = vault.lasting.sealSubject('er_1', { userId: 'jane' });
    expect(before[0]).toBe(1);
    expect(box.openSubject('er_1', before)).toEqual({ userId: 'jane' });
    expect(vault.lasting.openText('er_1', box.sealText('er_1', 'note'))).toBe('note');
    expect(Buffer.from(box.openPart(PLACE, vault.lasting.sealPart(PLACE, Buffer.from('x'))))).toEqual(
      Buffer.from('x'),
    );
  });
});

/** What the store keeps of the vault, in memory. */
function storeOf(from: { kept?: readonly WrappedKey[]; early?: EarlySeal; other?: string }) {
  const kept = [...(from.kept ?? [])];
  const store: VaultStore = {
    listVaultKeys: () => Promise.resolve(kept),
    insertVaultKeys: (given) => {
      kept.push(...given.filter(({ of }) => kept.every((one) => one.of !== of)));
      return Promise.resolve();
    },
    findEarlySeal: () => Promise.resolve(from.early),
    findOtherMaster: () => Promise.resolve(from.other),
  };
  return { store, kept };
}
const open = (store: VaultStore, ...masterKeys: [Uint8Array, ...Uint8Array[]]) =>
  openVault(store, { masterKeys, tenant: 'default' });
const refOf = (one: Vault) => one.subjectRefs({ userId: 'jane' })[0]?.value;

describe('the keys that outlive requests', () => {
  it('are made once, by chance, and then read; another master key changes no pseudonym', async () => {
    const { store, kept } = storeOf({});
    const first = await open(store, OLD);
    expect(kept.map(({ of }) => of)).toEqual([...USES]);
    expect(refOf(await open(store, NEW, OLD))).toBe(refOf(first));
    expect(refOf(await open(storeOf({}).store, OLD))).not.toBe(refOf(first));
    const sealed = first.lasting.sealText('hd_1', 'reason', 'reason');
    expect((await open(store, OLD)).lasting.openText('hd_1', sealed, 'reason')).toBe('reason');
  });

  it('are those of the process that was first, where two start at once', async () => {
    const { store } = storeOf({});
    const [one, other] = await Promise.all([open(store, OLD), open(store, OLD)]);
    expect(refOf(one)).toBe(refOf(other));
  });

  it('are what follows from the master key where the database was in use before', async () => {
    const before = createVault({
      masters: createMasterKeys([OLD]),
      keys: derivedKeys(OLD),
      tenant: 'default',
    });
    expect(refOf(await open(storeOf({ early: { sample: undefined } }).store, OLD))).toBe(refOf(before));
    const sample = {
      field: 'subject' as const,
      ownerId: 'er_1',
      sealed: before.lasting.sealSubject('er_1', { userId: 'jane' }),
    };
    const { store } = storeOf({ early: { sample } });
    // Whoever changes the master key with the update names the old one, too: it is found by what it opens.
    const after = await open(store, NEW, OTHER, OLD);
    expect(refOf(after)).toBe(refOf(before));
    expect(after.boxOf({ requestId: 'er_1', wrapped: null }).openSubject('er_1', sample.sealed)).toEqual({
      userId: 'jane',
    });
    expect(refOf(await open(store, NEW))).toBe(refOf(before));
  });

  it('are not made where nothing configured opens what is there', async () => {
    const sealed = vaultOf(OLD).lasting.sealSubject('er_1', { userId: 'jane' });
    const { store, kept } = storeOf({ early: { sample: { ownerId: 'er_1', field: 'subject', sealed } } });
    await expect(open(store, NEW)).rejects.toThrow(MasterKeyMissingError);
    expect(kept).toEqual([]);
  });

  it('are refused at the start under another master key, as is a data key of one', async () => {
    const { store, kept } = storeOf({});
    await open(store, OLD);
    await expect(open(store, NEW)).rejects.toThrow(createMasterKeys([OLD]).currentId);
    const other = randomBytes(8).toString('hex');
    await expect(open(storeOf({ kept, other }).store, OLD)).rejects.toMatchObject({
      code: 'MASTER_KEY_MISSING',
      message: expect.stringContaining(other),
    });
  });
});
