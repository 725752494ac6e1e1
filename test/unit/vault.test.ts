import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Vault } from '../../src/app/ports.ts';
import type { Box } from '../../src/app/ports/vault.ts';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { LetheError } from '../../src/domain/errors.ts';
import type { SubjectRef } from '../../src/domain/request.ts';
import { VaultUnreadableError } from '../../src/vault/cipher.ts';
import { derivedKeys } from '../../src/vault/lasting-keys.ts';
import { createMasterKeys } from '../../src/vault/master-keys.ts';
import { createVault } from '../../src/vault/vault.ts';

const MASTER = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7));
const OTHER_MASTER = Buffer.from(MASTER).fill(1, 31);
/** As a database has it that was in use before there were keys of the vault: what follows from the master key. */
const vaultOf = (masterKey: Uint8Array, tenant = 'default'): Vault =>
  createVault({ masters: createMasterKeys([masterKey]), keys: derivedKeys(masterKey), tenant });
const vault = vaultOf(MASTER);
const { lasting } = vault;
const REQUEST = 'er_0196';

/** Every JavaScript string: any code units, so lone surrogates and U+0000, too. */
const anyString = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.oneof(
        fc.integer({ min: 0, max: 0xffff }),
        fc.constantFrom(0, 0x22, 0x5c, 0xd800, 0xdbff, 0xdc00, 0xdfff),
      ),
      { maxLength: 20 },
    )
    .map((units) => String.fromCharCode(...units)),
);
const illFormed = anyString.map((text) => `${text}\ud800`);
/** As src/config lets it through. */
const tenantName = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
const HOSTILE = ['', '\0', 'a\0b', '\ud800', '\udc00\ud800', '"\\', '__proto__', '🙈', 'é', 'e\u0301', ' \n'];

function derive(use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', MASTER, Buffer.alloc(0), Buffer.from(`lethe/v1/${use}`), 32));
}

/** Opens by the documented layout (format, nonce, ciphertext, tag), without the code under test. */
function openByHand(sealed: Uint8Array, aad: string): string {
  const decipher = createDecipheriv('aes-256-gcm', derive('seal'), sealed.subarray(1, 13));
  decipher.setAAD(Buffer.from(aad)).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(13, -16)), decipher.final()]).toString('utf8');
}

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** The refusal of `sealed`, after checking that it is the documented one and comes of the authentication. */
function refusalOf(opener: Box, requestId: string, sealed: Uint8Array): string {
  const error = errorOf(() => opener.openSubject(requestId, sealed));
  if (!(error instanceof VaultUnreadableError)) throw new Error('it was not refused');
  expect(error.code).toBe('VAULT_UNREADABLE');
  return textOf(error);
}

/** All that a log could print of an error: its texts and those of its causes. */
function textOf(error: unknown): string {
  return error instanceof Error
    ? `${error.message}\n${error.stack ?? ''}\n${JSON.stringify(error)}\n${textOf(error.cause)}`
    : String(error);
}

describe('sealing', () => {
  it('keeps any user id exactly as it came', () => {
    fc.assert(
      fc.property(fc.oneof(anyString, fc.constantFrom(...HOSTILE)), (userId) => {
        expect(lasting.openSubject(REQUEST, lasting.sealSubject(REQUEST, { userId }))).toEqual({ userId });
      }),
      { examples: HOSTILE.map((userId): [string] => [userId]) },
    );
  });

  it('is AES-256-GCM as documented: format, nonce, ciphertext, tag; bound to row and column', () => {
    fc.assert(
      fc.property(anyString, (text) => {
        const subject: unknown = JSON.parse(
          openByHand(lasting.sealSubject(REQUEST, { userId: text }), `${REQUEST}\0subject`),
        );
        const note: unknown = JSON.parse(openByHand(lasting.sealText(REQUEST, text), `${REQUEST}\0note`));
        expect([subject, note]).toEqual([{ userId: text }, text]);
      }),
    );
    expect(lasting.sealSubject(REQUEST, { userId: 'x' })[0]).toBe(1);
  });

  it('never gives the same bytes twice', () => {
    const seals = Array.from({ length: 100 }, () => lasting.sealSubject(REQUEST, { userId: 'alice' }));
    expect(new Set(seals.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBe(100);
    const nonces = seals.map((bytes) => Buffer.from(bytes.subarray(1, 13)).toString('hex'));
    expect(new Set(nonces).size).toBe(100);
    expect(lasting.sealText(REQUEST, 'alice')).not.toEqual(lasting.sealText(REQUEST, 'alice'));
  });

  it('never lets the plaintext through into the ciphertext', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 8 }), (text) => {
        const sealed = [lasting.sealSubject(REQUEST, { userId: text }), lasting.sealText(REQUEST, text)];
        for (const bytes of sealed) {
          expect(Buffer.from(bytes).includes(text, 0, 'utf8')).toBe(false);
          expect(Buffer.from(bytes).includes(text, 0, 'utf16le')).toBe(false);
        }
      }),
    );
  });
});

describe('a piece of an access package', () => {
  const PLACE = { requestId: 'er_1', taskId: 'tk_1', file: 'events', seq: 3 } as const;

  it('opens as the bytes it was, at its place and at no other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(Buffer.from(lasting.openPart(PLACE, lasting.sealPart(PLACE, bytes)))).toEqual(
          Buffer.from(bytes),
        );
      }),
      { numRuns: 30 },
    );
    const sealed = lasting.sealPart(PLACE, Buffer.from('private'));
    for (const other of [{ requestId: 'er_2' }, { taskId: 'tk_2' }, { file: 'user' as const }, { seq: 4 }]) {
      expect(errorOf(() => lasting.openPart({ ...PLACE, ...other }, sealed))).toBeInstanceOf(
        VaultUnreadableError,
      );
    }
  });

  it('has a key of its own', () => {
    const text = lasting.sealText('er_1', 'private');
    expect(errorOf(() => lasting.openPart(PLACE, text))).toBeInstanceOf(VaultUnreadableError);
  });
});

describe('opening refuses', () => {
  const userId = 'alice@example.org';
  const sealed = lasting.sealSubject(REQUEST, { userId });

  it('what was sealed for another request', () => {
    fc.assert(
      fc.property(anyString, (other) => {
        fc.pre(other !== REQUEST);
        expect(refusalOf(lasting, other, sealed)).toMatch(/unable to authenticate/);
      }),
    );
  });

  it('what was sealed for another column of the same request', () => {
    const note = lasting.sealText(REQUEST, JSON.stringify({ userId }));
    // Not because of its shape: the authentication alone refuses it.
    expect(refusalOf(lasting, REQUEST, note)).toMatch(/unable to authenticate/);
  });

  it('what was sealed with another master key', () => {
    const other = vaultOf(OTHER_MASTER).lasting;
    expect(refusalOf(other, REQUEST, sealed)).toMatch(/unable to authenticate/);
  });

  it('every single flipped bit, in whichever byte', () => {
    for (let index = 0; index < sealed.length; index += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(sealed);
        changed[index] = (changed[index] ?? 0) ^ (1 << bit);
        refusalOf(lasting, REQUEST, changed);
      }
    }
  });

  it('another format, and names it', () => {
    const changed = Buffer.from(sealed).fill(2, 0, 1);
    expect(refusalOf(lasting, REQUEST, changed)).toMatch(/format 2/);
    expect(refusalOf(lasting, REQUEST, Buffer.alloc(0))).toMatch(/format none/);
  });

  it('what was cut or made longer, down to nothing', () => {
    for (let length = 0; length < sealed.length; length += 1) {
      refusalOf(lasting, REQUEST, sealed.subarray(0, length));
      refusalOf(lasting, REQUEST, sealed.subarray(sealed.length - length));
    }
    refusalOf(lasting, REQUEST, Buffer.concat([sealed, Buffer.from([0])]));
  });

  it('without a word of the plaintext or the key, in any of its causes', () => {
    const other = vaultOf(OTHER_MASTER).lasting;
    const words = [
      refusalOf(lasting, 'er_other', sealed),
      refusalOf(other, REQUEST, sealed),
      refusalOf(lasting, REQUEST, lasting.sealText(REQUEST, userId)),
      refusalOf(lasting, REQUEST, Buffer.from(userId)),
    ].join('\n');
    for (const secret of ['alice', MASTER.toString('hex'), MASTER.toString('base64')])
      expect(words).not.toContain(secret);
  });
});

describe('the master key', () => {
  it.each([0, 16, 31, 33, 64])('is refused with %i bytes, without showing them', (length) => {
    const error = errorOf(() => createMasterKeys([MASTER, Buffer.alloc(length, 'K')]));
    expect(error).toBeInstanceOf(LetheError);
    expect(error).toMatchObject({ code: 'MASTER_KEY_INVALID' });
    expect(textOf(error)).not.toContain('KKKK');
  });
});

function onlyRef(refs: readonly SubjectRef[]): SubjectRef {
  const [ref, ...more] = refs;
  if (ref === undefined || more.length > 0) throw new Error(`there are ${refs.length} pseudonyms`);
  return ref;
}

describe('a pseudonym', () => {
  const refOf = (userId: string, tenant = 'default') =>
    onlyRef(vaultOf(MASTER, tenant).subjectRefs({ userId }));

  it('is HMAC-SHA-256 of "v1\\0" tenant "\\0" kind "\\0" identifier, under a key of its own', () => {
    const wellFormed = anyString.map((text) => text.toWellFormed());
    fc.assert(
      fc.property(tenantName, wellFormed, (tenant, userId) => {
        const input = Buffer.from(`v1\0${tenant}\0user_id\0${userId}`, 'utf8');
        const value = createHmac('sha256', derive('subject-ref')).update(input).digest('hex');
        expect(refOf(userId, tenant)).toEqual({ kind: 'user_id', keyVersion: 1, value });
      }),
    );
  });

  it('of an id without UTF-8 is made of its code units, under a kind of their own', () => {
    fc.assert(
      fc.property(tenantName, illFormed, (tenant, userId) => {
        const input = [Buffer.from(`v1\0${tenant}\0user_id_utf16\0`), Buffer.from(userId, 'utf16le')];
        const value = createHmac('sha256', derive('subject-ref')).update(Buffer.concat(input)).digest('hex');
        expect(refOf(userId, tenant).value).toBe(value);
      }),
    );
  });

  it('is the same for the same person, and shared with nobody else', () => {
    const id = fc.oneof(anyString, illFormed);
    fc.assert(
      fc.property(tenantName, id, id, (tenant, one, other) => {
        expect(refOf(one, tenant)).toEqual(refOf(one, tenant));
        expect(refOf(one, tenant).value === refOf(other, tenant).value).toBe(one === other);
      }),
      {
        examples: [
          ['t', '\ud800', '\ud801'],
          ['t', '\ud800', '\udc00'],
          ['t', '\ud800', '\ufffd'],
          ['t', 'a\ud800', 'a\ufffd'],
          // The bytes of the one's code units are the other's UTF-8.
          ['t', '\u6161\udc61', 'aa'],
          ['t', 'é', 'e\u0301'],
          ['t', 'Alice', 'alice'],
          ['t', 'alice', 'alice '],
          ['t', 'alice', 'alice\0'],
        ],
      },
    );
  });

  it('of an address is the same in whatever case, so that a hold on it is not missed', () => {
    const refOf = (email: string) => vault.subjectRefs({ email })[0]?.value;
    expect(refOf('Jane.Roe@Shop.Example')).toBe(refOf('jane.roe@shop.example'));
    expect(refOf('jane.roe@shop.example')).not.toBe(refOf('janeroe@shop.example'));
    // A user id is what it is.
    expect(vault.subjectRefs({ userId: 'Jane' })).not.toEqual(vault.subjectRefs({ userId: 'jane' }));
  });

  it('is another under another tenant or another master key', () => {
    fc.assert(
      fc.property(tenantName, tenantName, anyString, (one, other, userId) => {
        fc.pre(one !== other);
        expect(refOf(userId, one).value).not.toBe(refOf(userId, other).value);
      }),
    );
    const elsewhere = vaultOf(OTHER_MASTER);
    expect(onlyRef(elsewhere.subjectRefs({ userId: 'alice' })).value).not.toBe(refOf('alice').value);
  });

  it('cannot be moved over the border between tenant, kind and id', () => {
    const pairs: [string, string][] = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['a', 'b\0c'],
      ['a', 'user_id\0c'],
      ['a', '\0user_id\0c'],
      ['a', '_utf16\0c'],
      ['a', 'c'],
    ];
    expect(new Set(pairs.map(([tenant, userId]) => refOf(userId, tenant).value)).size).toBe(pairs.length);
  });

  it('is safe there because no tenant with U+0000 gets through the configuration', () => {
    // With one it would not be: this tenant and id make the bytes of tenant `a` and id `user_id\0c`.
    expect(refOf('c', 'a\0user_id').value).toBe(refOf('user_id\0c', 'a').value);
    const folder = mkdtempSync(join(tmpdir(), 'lethe-vault-'));
    const file = join(folder, 'lethe.yaml');
    const load = (tenant: string) => {
      const connection = '{ name: default, url: "https://or.example", apiKey: k }';
      writeFileSync(file, `tenant: ${tenant}\nconnections: [${connection}]\n`);
      return loadConfig({ LETHE_CONFIG: file }, { cwd: folder }).tenant;
    };
    try {
      expect(load(String.raw`"a\x75"`)).toBe('au');
      for (const tenant of [String.raw`"a\0user_id"`, String.raw`"a\x00"`, String.raw`"\u0000"`])
        expect(errorOf(() => load(tenant))).toBeInstanceOf(ConfigError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('holds nothing of the id', () => {
    expect(refOf('deadbeef').value).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(refOf('deadbeef'))).not.toContain('deadbeef');
  });
});

describe('a fingerprint', () => {
  it('is keyed, the same for the same text and another for another', () => {
    const expected = createHmac('sha256', derive('fingerprint')).update('{"a":1}').digest();
    expect(vault.fingerprint('{"a":1}')).toEqual(expected);
    expect(vault.fingerprint('{"a":2}')).not.toEqual(expected);
  });
});
