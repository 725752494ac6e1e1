import { generateKeyPairSync } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import type { Certifier, LogStore, TreeGrower } from '../../src/app/ports/log.ts';
import { sealEvents } from '../../src/app/seal-events.ts';
import { createCertifier } from '../../src/evidence/certificate.ts';
import { printCertificate } from '../../src/evidence/pdf/print-certificate.ts';
import { hashLeaf } from '../../src/evidence/merkle-hash.ts';
import { signerOf, type NoteSigner } from '../../src/evidence/signed-note.ts';
import { createTreeGrower } from '../../src/evidence/tree-grower.ts';
import { createLogStore } from '../../src/store/log.ts';
import { naiveRoot } from './naive-tree.ts';

/** A log over the events of a test's database, with a key of its own. */
export interface TestLog {
  readonly log: LogStore;
  readonly tree: TreeGrower;
  readonly certifier: Certifier;
  readonly signer: NoteSigner;
  /** Seals until nothing waits; says how many events that were. */
  sealAll(): Promise<number>;
}

export function openTestLog(pool: pg.Pool, origin = 'test.example/log'): TestLog {
  const signer = signerOf(origin, generateKeyPairSync('ed25519').privateKey);
  const parts = { log: createLogStore(pool), tree: createTreeGrower(signer) };
  return {
    ...parts,
    signer,
    certifier: createCertifier(signer, 'Lethe under test', printCertificate),
    sealAll: async () => {
      let sealed = 0;
      for (let count = await sealEvents(parts); count > 0; count = await sealEvents(parts)) sealed += count;
      return sealed;
    },
  };
}

const leafRows = z.array(
  z.object({
    leaf: z.coerce.number(),
    request_id: z.string().nullable(),
    seq: z.number(),
    bytes: z.instanceof(Buffer),
  }),
);

/** The sealed events in the order of the log, as the database's own join has them. */
export async function readLeaves(pool: pg.Pool): Promise<z.infer<typeof leafRows>> {
  const { rows } = await pool.query(
    `SELECT first_leaf + seq - first_seq AS leaf, sealed.request_id, seq, bytes FROM sealed_events sealed JOIN (
       SELECT request_id, seq, bytes FROM audit_events UNION ALL SELECT NULL, seq, bytes FROM admin_events
     ) AS events ON events.request_id IS NOT DISTINCT FROM sealed.request_id AND seq BETWEEN first_seq AND last_seq
     ORDER BY leaf`,
  );
  return leafRows.parse(rows);
}

export async function rootOfLeaves(pool: pg.Pool, size?: number): Promise<string> {
  const leaves = (await readLeaves(pool)).slice(0, size);
  return Buffer.from(naiveRoot(leaves.map(({ bytes }) => hashLeaf(bytes)))).toString('base64');
}
