import { HASH_BYTES, type Hash } from './merkle-hash.ts';
import { fromBase64, NoteInvalidError } from './signed-note.ts';

/** Shows that a leaf is in a log, with all that it takes to check it offline (C2SP tlog-proof). */
export interface TlogProof {
  readonly index: number;
  readonly hashes: readonly Hash[];
  /** The signed note, as it stands. */
  readonly checkpoint: string;
}

const HEADER = 'c2sp.org/tlog-proof@v1';

export function formatTlogProof({ index, hashes, checkpoint }: TlogProof): string {
  const lines = hashes.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `${HEADER}\nindex ${index}\n${lines.join('')}\n${checkpoint}`;
}

/** @throws NoteInvalidError when it is not of that format; nothing is verified yet */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  const [header, ...lines] = text.slice(0, Math.max(split, 0)).split('\n');
  const rest = lines[0]?.startsWith('extra ') === true ? lines.slice(1) : lines;
  const [, index] = /^index (0|[1-9][0-9]{0,15})$/.exec(rest[0] ?? '') ?? [];
  if (header !== HEADER || index === undefined)
    throw new NoteInvalidError(`A proof begins with "${HEADER}" and "index N".`);
  const hashes = rest.slice(1).map((line) => {
    const hash = fromBase64(line);
    if (hash?.length !== HASH_BYTES)
      throw new NoteInvalidError('A proof has one hash in base64 on each line.');
    return hash;
  });
  return { index: Number(index), hashes, checkpoint: text.slice(split + 2) };
}
