import type pg from 'pg';
import { auditLog } from '../../src/evidence/audit-log.ts';
import { parseVerifierKey } from '../../src/evidence/signed-note.ts';
import { createLogStore } from '../../src/store/log.ts';

/**
 * The log of all events is whole: each was sealed once, by whoever lived, or waits for it, and every checkpoint comes out of
 * the events.
 */
export async function faultsOfLog(pool: pg.Pool): Promise<readonly string[]> {
  const log = createLogStore(pool);
  const verifiers = (await log.listKeys()).map(({ verifierKey }) => parseVerifierKey(verifierKey));
  const report = await log.read((reader) => auditLog(reader, { verifiers, published: [] }));
  const empty = report.events === 0 ? ['nothing was sealed'] : [];
  return [...empty, ...report.findings.map(({ message }) => message)];
}
