import { expect, it } from '@jest/globals';
import { createNonces } from '../../src/vault/nonces.ts';

it('gives none twice, also where a new lot is drawn', () => {
  const next = createNonces(12);
  const seen = Array.from({ length: 1_000 }, () => Buffer.from(next()).toString('hex'));
  expect(new Set(seen).size).toBe(1_000);
  expect(new Set(seen.map((nonce) => nonce.length))).toEqual(new Set([24]));
});
