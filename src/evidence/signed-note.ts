import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { LetheError } from '../domain/errors.ts';

/** Signed notes (C2SP signed-note): text, an empty line, and a line for each signature. Ed25519 only. */

/** What a signature is checked with, from the line that C2SP calls a verifier key. */
export interface NoteVerifier {
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Buffer;
  readonly publicKey: KeyObject;
}

export interface NoteSigner extends NoteVerifier {
  readonly privateKey: KeyObject;
}

const ED25519 = 1;
const KEY_ID_BYTES = 4;
const PUBLIC_KEY_BYTES = 32;
/** What DER puts before the 32 bytes of an Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A note, key or proof that is not of its format. Code NOTE_INVALID. */
export class NoteInvalidError extends LetheError {
  constructor(message: string) {
    super('NOTE_INVALID', message);
  }
}

/** @throws NoteInvalidError when the name has spaces or a plus, or the key is not Ed25519 */
export function signerOf(name: string, privateKey: KeyObject): NoteSigner {
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw new NoteInvalidError('The signing key is not an Ed25519 key.');
  const publicKey = createPublicKey(privateKey);
  return { ...verifierOf(name, publicKey), privateKey };
}

/** `name+hex(keyId)+base64(0x01 || publicKey)`: what is given to those who verify. */
export function formatVerifierKey({ name, keyId, publicKey }: NoteVerifier): string {
  const key = Buffer.concat([Buffer.from([ED25519]), rawKey(publicKey)]);
  return `${name}+${keyId.toString('hex')}+${key.toString('base64')}`;
}

/** @throws NoteInvalidError when it is not the verifier key of an Ed25519 key, or names another one's id */
export function parseVerifierKey(text: string): NoteVerifier {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const key = encoded === undefined ? undefined : fromBase64(encoded);
  if (name === undefined || key?.length !== PUBLIC_KEY_BYTES + 1 || key[0] !== ED25519)
    throw new NoteInvalidError('A verifier key reads NAME+8 hex digits+base64 of an Ed25519 key.');
  const der = Buffer.concat([SPKI_PREFIX, key.subarray(1)]);
  const verifier = verifierOf(name, createPublicKey({ key: der, format: 'der', type: 'spki' }));
  if (verifier.keyId.toString('hex') !== id)
    throw new NoteInvalidError(`The verifier key of ${name} does not have the key id that it names.`);
  return verifier;
}

function verifierOf(name: string, publicKey: KeyObject): NoteVerifier {
  if (!/^[^+\s]+$/u.test(name))
    throw new NoteInvalidError(`A signer's name has no spaces and no plus: ${JSON.stringify(name)}.`);
  const keyId = createHash('sha256')
    .update(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ED25519]), rawKey(publicKey)]))
    .digest()
    .subarray(0, KEY_ID_BYTES);
  return { name, keyId, publicKey };
}

function rawKey(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/** @param text ends with a line feed */
export function signNote(text: string, signer: NoteSigner): string {
  assertText(text);
  const signature = sign(null, Buffer.from(text, 'utf8'), signer.privateKey);
  const encoded = Buffer.concat([signer.keyId, signature]).toString('base64');
  return `${text}\n— ${signer.name} ${encoded}\n`;
}

/**
 * The text of a note that this key has signed. Other signatures may stand beside it; they are not looked at.
 *
 * @throws NoteInvalidError when it is no note, or has no valid signature of this key
 */
export function openNote(note: string, verifier: NoteVerifier): string {
  const split = note.lastIndexOf('\n\n');
  const text = note.slice(0, split + 1);
  const signatures = note.slice(split + 2);
  if (split < 0 || !signatures.endsWith('\n')) throw new NoteInvalidError('This is not a signed note.');
  assertText(text);
  const lines = signatures.slice(0, -1).split('\n');
  const parsed = lines.map(parseSignature);
  const ours = parsed.filter(({ name, keyId }) => name === verifier.name && keyId.equals(verifier.keyId));
  const valid = ours.filter(({ signature }) =>
    verify(null, Buffer.from(text, 'utf8'), verifier.publicKey, signature),
  );
  if (ours.length === 0)
    throw new NoteInvalidError(`No signature of ${verifier.name} stands under the note.`);
  if (valid.length !== ours.length)
    throw new NoteInvalidError(`The signature of ${verifier.name} under the note is not valid.`);
  return text;
}

/**
 * The notes of a file that has one after another, as checkpoints are published.
 *
 * @throws NoteInvalidError when something in it is no note
 */
export function splitNotes(text: string): readonly string[] {
  const pattern = /((?:[^\n]+\n)+\n(?:— [^\n]+\n)+)\n*/uy;
  const notes: string[] = [];
  while (pattern.lastIndex < text.length) {
    const [, note] = pattern.exec(text) ?? [];
    if (note === undefined) throw new NoteInvalidError('The file has something that is no signed note.');
    notes.push(note);
  }
  return notes;
}

function parseSignature(line: string): { name: string; keyId: Buffer; signature: Buffer } {
  const [, name, encoded] = /^— ([^+\s]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
  const bytes = encoded === undefined ? undefined : fromBase64(encoded);
  if (name === undefined || bytes === undefined || bytes.length <= KEY_ID_BYTES)
    throw new NoteInvalidError('A signature line reads "— NAME BASE64".');
  return { name, keyId: bytes.subarray(0, KEY_ID_BYTES), signature: bytes.subarray(KEY_ID_BYTES) };
}

function assertText(text: string): void {
  // eslint-disable-next-line no-control-regex -- control characters are what must not be there
  if (!text.endsWith('\n') || !text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f\u007f]/.test(text))
    throw new NoteInvalidError('The text of a note is lines of plain text.');
}

/** Node skips what is not base64, so only what is written back alike is taken. Undefined otherwise. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
