import { randomFillSync } from 'node:crypto';

/** Nonces drawn at a time: a draw costs more than all the rest of sealing a short text. */
const DRAWN = 256;

/** Gives nonces of so many bytes from the system's generator, none twice. Each is the caller's, to be copied at once. */
export function createNonces(bytes: number): () => Uint8Array {
  const drawn = Buffer.alloc(DRAWN * bytes);
  let at = drawn.length;
  return () => {
    if (at === drawn.length) {
      randomFillSync(drawn);
      at = 0;
    }
    at += bytes;
    return drawn.subarray(at - bytes, at);
  };
}
