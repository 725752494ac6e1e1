import { IMPORT_ROWS_MAX } from '../domain/imports.ts';
import { atMost } from './row-limit.ts';
import type { ImportView } from './import-schema.ts';
import {
  ImportStoppedError,
  ImportTakenOverError,
  type ImportRow,
  type ImportSource,
} from './import-source.ts';
import type { Deps } from './ports.ts';
import type { ImportLease, ImportTransaction } from './ports/imports.ts';
import { showImport } from './show-import.ts';
import { IdempotencyKeyReusedError } from './submit-request.ts';
import { takeRows } from './take-rows.ts';
import { twoAtATime } from './two-at-a-time.ts';

/** Few transactions for a file, and little of it in memory. */
const BATCH_ROWS = 250;
/** A slow upload shows its progress, too. */
const BATCH_MS = 1_000;

/**
 * Takes a file of submissions in, as it is read: each good row becomes a request, each bad one is noted by its line. What
 * was taken in stays whatever happens after; the same file sent again goes on and makes nothing twice. With an idempotency
 * key the import is the same one, and what was completed under it is answered and not taken in again.
 *
 * @throws ImportStoppedError where the file cannot be read on; ImportTakenOverError; IdempotencyKeyReusedError for another
 *   file under the key of a completed import
 */
export async function importRequests(
  deps: Deps,
  source: ImportSource,
  sender: { apiKeyId: string; idempotencyKey: string | undefined },
): Promise<ImportView> {
  const { format } = source;
  const wish = {
    id: deps.newId('im'),
    apiKeyId: sender.apiKeyId,
    idempotencyKey: sender.idempotencyKey ?? null,
    format,
  };
  const { lease, fingerprint } = await deps.store.transaction((tx) => tx.openImport(wish));
  if (fingerprint === null) await receive(deps, source, lease);
  else if (!Buffer.from(fingerprint).equals(await fingerprintOf(deps, source))) {
    throw new IdempotencyKeyReusedError();
  }
  const view = await showImport(deps, lease.importId);
  if (view === undefined) throw new Error(`import ${lease.importId} is gone`);
  return view;
}

async function receive(deps: Deps, source: ImportSource, lease: ImportLease): Promise<void> {
  try {
    await twoAtATime(batchesOf(source.rows), (batch) => takeRows(deps, lease, batch));
    const fingerprint = await fingerprintOf(deps, source);
    await end(deps, lease, { state: 'completed', fingerprint });
  } catch (error) {
    if (error instanceof ImportTakenOverError) throw error;
    await noteStop(deps, lease, error);
    if (!(error instanceof ImportStoppedError)) throw error;
    const { importId } = lease;
    throw new ImportStoppedError(error.stop, error.message, {
      line: error.line,
      importId,
      cause: error.cause,
    });
  }
}

async function end(
  deps: Pick<Deps, 'store'>,
  lease: ImportLease,
  how: Parameters<ImportTransaction['endImport']>[1],
): Promise<void> {
  const ended = await deps.store.transaction((tx) => tx.endImport(lease, how));
  if (!ended) throw new ImportTakenOverError();
}

/** Where the stop cannot be written, the import falls silent, and is shown as interrupted after a while. */
async function noteStop(
  deps: Pick<Deps, 'store' | 'log'>,
  lease: ImportLease,
  error: unknown,
): Promise<void> {
  const lasting = error instanceof ImportStoppedError && error.stop !== 'IMPORT_INTERRUPTED';
  const how = lasting
    ? {
        state: 'failed' as const,
        failure: { code: error.code, detail: error.message, line: error.line },
      }
    : { state: 'interrupted' as const };
  await end(deps, lease, how).catch(() => {
    deps.log.warn({ importId: lease.importId }, 'the end of an import could not be noted');
  });
}

/** Of the whole file: what was not read yet is read. */
async function fingerprintOf({ vault }: Pick<Deps, 'vault'>, source: ImportSource): Promise<Uint8Array> {
  const left = source.rows[Symbol.asyncIterator]();
  for (let row = await left.next(); row.done !== true;) row = await left.next();
  return vault.fingerprint(`import file\0${source.sha256()}`);
}

/** Where the rows stop, what came before them is a batch all the same. */
async function* batchesOf(rows: AsyncIterable<ImportRow>): AsyncGenerator<readonly ImportRow[]> {
  let batch: ImportRow[] = [];
  let begun = performance.now();
  let stopped: ImportStoppedError | undefined;
  try {
    for await (const row of atMost(IMPORT_ROWS_MAX, rows)) {
      batch.push(row);
      if (batch.length < BATCH_ROWS && performance.now() - begun < BATCH_MS) continue;
      yield batch;
      batch = [];
      begun = performance.now();
    }
  } catch (error) {
    if (!(error instanceof ImportStoppedError)) throw error;
    stopped = error;
  }
  if (batch.length > 0) yield batch;
  if (stopped !== undefined) throw stopped;
}
