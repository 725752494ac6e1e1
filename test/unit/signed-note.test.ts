import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { openCheckpoint, signCheckpoint } from '../../src/evidence/checkpoint.ts';
import { hashLeaf } from '../../src/evidence/merkle-hash.ts';
import {
  formatVerifierKey,
  openNote,
  parseVerifierKey,
  signNote,
  signerOf,
  splitNotes,
} from '../../src/evidence/signed-note.ts';
import { formatTlogProof, parseTlogProof } from '../../src/evidence/tlog-proof.ts';

const key = generateKeyPairSync('ed25519').privateKey;
const signer = signerOf('lethe.example/log', key);
const other = signerOf('lethe.example/log', generateKeyPairSync('ed25519').privateKey);
const invalid = expect.objectContaining({ code: 'NOTE_INVALID' });

/** The example of golang.org/x/mod/sumdb/note, whose format this is. */
const PETER = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const PETERS_NOTE =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n\n" +
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

describe('a note', () => {
  it('of another implementation is opened with its key', () => {
    expect(openNote(PETERS_NOTE, parseVerifierKey(PETER))).toMatch(/^If you think .* problem is\.\n$/s);
    expect(formatVerifierKey(parseVerifierKey(PETER))).toBe(PETER);
  });

  it('is opened with the key that signed it, whatever other signatures stand there', () => {
    const note = signNote('one\ntwo\n', signer);
    const signature = signNote('one\ntwo\n', signerOf('witness', key)).split('\n\n')[1] ?? '';
    expect(openNote(note + signature, parseVerifierKey(formatVerifierKey(signer)))).toBe('one\ntwo\n');
  });

  it.each([
    ['another text', (note: string) => note.replace('one', 'two')],
    ['another signature', () => signNote('one\n', other).replace('+', '/')],
    ['no signature of that key', () => signNote('one\n', other)],
    ['no signature at all', () => 'one\n\n'],
    ['no empty line', (note: string) => note.replace('\n\n', '\n')],
    ['no line feed at its end', (note: string) => note.trimEnd()],
    [
      'a second, wrong signature of the key',
      (note: string) => note + (note.split('\n\n')[1] ?? '').replace(/.{8}\n$/, 'AAAAAAA=\n'),
    ],
    ['a signature that is no base64', (note: string) => note.replace(/.\n$/, '!\n')],
    ['carriage returns', (note: string) => note.replaceAll('\n', '\r\n')],
  ])('with %s is not', (_what, change) => {
    expect(() => openNote(change(signNote('one\n', signer)), signer)).toThrow(invalid);
  });

  it.each(['no line feed', 'a \u0000\n', '\ud800\n'])('is not made of %j', (text) => {
    expect(() => signNote(text, signer)).toThrow(invalid);
  });
});

describe('a file of notes', () => {
  const [one, two] = [signNote('one\n\nmore\n', signer), signNote('two\n', signer)];

  it('has one after another, with empty lines between them or none', () => {
    expect(splitNotes(two + two)).toEqual([two, two]);
    expect(splitNotes(`${two}\n\n${two}\n`)).toEqual([two, two]);
    expect(splitNotes('')).toEqual([]);
  });

  it.each(['text\n', `${two}rest`, `\n${two}`, one.replace('more\n', 'more')])(
    'with something else is refused: %j',
    (text) => {
      expect(() => splitNotes(text)).toThrow(invalid);
    },
  );
});

describe('a verifier key', () => {
  it.each([
    ['another id', PETER.replace('c74f20a3', 'c74f20a4')],
    ['another name', PETER.replace('Peter', 'Paul')],
    ['no key', 'name+c74f20a3+'],
    ['another algorithm', PETER.replace('+AR', '+BR')],
    ['a line more', `${PETER}\nx`],
  ])('with %s is refused', (_what, text) => {
    expect(() => parseVerifierKey(text)).toThrow(invalid);
  });

  it('has a name without spaces and plus, and is of Ed25519', () => {
    expect(() => signerOf('two words', key)).toThrow(invalid);
    expect(() => signerOf('a+b', key)).toThrow(invalid);
    expect(() => signerOf('rsa', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)).toThrow(
      invalid,
    );
    expect(
      createPublicKey(createPrivateKey(key.export({ format: 'pem', type: 'pkcs8' }))).asymmetricKeyType,
    ).toBe('ed25519');
  });
});

describe('a checkpoint', () => {
  const root = hashLeaf(Buffer.from('leaf'));

  it('says origin, size and root', () => {
    const note = signCheckpoint({ size: 1, root }, signer);
    expect(note.split('\n').slice(0, 3)).toEqual([
      'lethe.example/log',
      '1',
      Buffer.from(root).toString('base64'),
    ]);
    expect(openCheckpoint(note, signer)).toEqual({ origin: 'lethe.example/log', size: 1, root });
  });

  it.each([
    ['of another log', `else\n1\n${Buffer.from(root).toString('base64')}\n`],
    ['without a size', `lethe.example/log\n\n${Buffer.from(root).toString('base64')}\n`],
    [
      'with a size that is written otherwise',
      `lethe.example/log\n01\n${Buffer.from(root).toString('base64')}\n`,
    ],
    ['with a short root', 'lethe.example/log\n1\nAAAA\n'],
    ['without a root', 'lethe.example/log\n1\n'],
  ])('%s is refused, signed or not', (_what, text) => {
    expect(() => openCheckpoint(signNote(text, signer), signer)).toThrow(invalid);
  });
});

describe('a proof file', () => {
  const checkpoint = signCheckpoint({ size: 2, root: hashLeaf(Buffer.from('leaf')) }, signer);
  const proof = { index: 1, hashes: [hashLeaf(Buffer.from('other'))], checkpoint };

  it('is read as it was written', () => {
    expect(parseTlogProof(formatTlogProof(proof))).toEqual(proof);
    expect(parseTlogProof(formatTlogProof({ ...proof, hashes: [] }))).toEqual({ ...proof, hashes: [] });
    expect(parseTlogProof(formatTlogProof(proof).replace('index', 'extra AAAA\nindex'))).toEqual(proof);
  });

  it.each([
    ['header', (text: string) => text.replace('@v1', '@v2')],
    ['index', (text: string) => text.replace('index 1', 'index 01')],
    ['hash', (text: string) => text.replace(/\n(.{43}=)\n/, '\n$1=\n')],
    ['empty line', (text: string) => text.replaceAll('\n\n', '\n')],
  ])('of another %s is refused', (_what, change) => {
    expect(() => parseTlogProof(change(formatTlogProof(proof)))).toThrow(invalid);
  });
});
