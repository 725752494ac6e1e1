/** Ciphertext; what it was sealed for is part of its authentication. */
export type Sealed = Uint8Array;
