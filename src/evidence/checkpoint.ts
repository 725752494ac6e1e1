import { HASH_BYTES, type Hash } from './merkle-hash.ts';
import {
  fromBase64,
  NoteInvalidError,
  openNote,
  signNote,
  type NoteSigner,
  type NoteVerifier,
} from './signed-note.ts';

/** What a log says of itself at a time (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Names the log. */
  readonly origin: string;
  /** Leaves. */
  readonly size: number;
  readonly root: Hash;
}

/** The note in which a log signs its state. The origin is the signer's name. */
export function signCheckpoint(
  { size, root }: Pick<Checkpoint, 'size' | 'root'>,
  signer: NoteSigner,
): string {
  return signNote(`${signer.name}\n${size}\n${Buffer.from(root).toString('base64')}\n`, signer);
}

/**
 * Reads a checkpoint that this key has signed. Lines after the root (extensions) are signed as the rest, and left alone.
 *
 * @throws NoteInvalidError when it is none, is another log's, or the signature is not valid
 */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint {
  const [origin, size, root] = openNote(note, verifier).split('\n');
  if (origin !== verifier.name)
    throw new NoteInvalidError(
      `The checkpoint is of the log ${JSON.stringify(origin)}, not of ${verifier.name}.`,
    );
  const hash = root === undefined ? undefined : fromBase64(root);
  if (size === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(size) || hash?.length !== HASH_BYTES)
    throw new NoteInvalidError('A checkpoint has a size and a root hash in base64.');
  return { origin, size: Number(size), root: hash };
}
