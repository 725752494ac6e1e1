import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Sealed } from '../app/ports.ts';
import type {
  AccessPackage,
  DownloadLease,
  PackagePart,
  PackageTask,
  PackageTransaction,
} from '../app/ports/packages.ts';
import { PACKAGE_STATES, type PartPlace } from '../domain/access-package.ts';
import type { Queryable } from './connection.ts';

const packages = z.array(
  z
    .object({
      request_id: z.string(),
      state: z.enum(PACKAGE_STATES),
      ready_at: z.date().nullable(),
      expires_at: z.date().nullable(),
      downloaded_at: z.date().nullable(),
      bytes: z.number().nullable(),
      gaps: z.number().nullable(),
    })
    .transform((from): AccessPackage => ({
      requestId: from.request_id,
      state: from.state,
      readyAt: from.ready_at,
      expiresAt: from.expires_at,
      downloadedAt: from.downloaded_at,
      bytes: from.bytes,
      gaps: from.gaps,
    })),
);

/** The packages of these requests, by the request's id. */
export async function listPackages(
  db: Queryable,
  requestIds: readonly string[],
): Promise<ReadonlyMap<string, AccessPackage>> {
  const { rows } = await db.query(
    `SELECT request_id, state, ready_at, expires_at, downloaded_at, bytes::float8 AS bytes, gaps
     FROM access_packages WHERE request_id = ANY ($1)`,
    [requestIds],
  );
  return new Map(packages.parse(rows).map((found) => [found.requestId, found]));
}

const packageTasks = z.array(
  z
    .object({
      task_id: z.string(),
      progress_sealed: z.instanceof(Buffer).nullable(),
      gaps: z.number(),
      gathered_at: z.date().nullable(),
    })
    .transform((from): PackageTask => ({
      taskId: from.task_id,
      progressSealed: from.progress_sealed,
      gaps: from.gaps,
      gatheredAt: from.gathered_at,
    })),
);

export async function listPackageTasks(db: Queryable, requestId: string): Promise<readonly PackageTask[]> {
  const { rows } = await db.query(
    `SELECT task_id, progress_sealed, gaps, gathered_at FROM package_tasks WHERE request_id = $1 ORDER BY task_id`,
    [requestId],
  );
  return packageTasks.parse(rows);
}

const ciphertext = z.array(z.object({ sealed: z.instanceof(Buffer) }));

export async function findManifest(db: Queryable, requestId: string): Promise<Sealed | undefined> {
  const { rows } = await db.query(
    `SELECT manifest_sealed AS sealed FROM access_packages WHERE request_id = $1 AND state = 'ready'`,
    [requestId],
  );
  return ciphertext.parse(rows)[0]?.sealed;
}

export async function findPackagePart(db: Queryable, place: PartPlace): Promise<Sealed | undefined> {
  const { rows } = await db.query(
    'SELECT sealed FROM package_parts WHERE request_id = $1 AND task_id = $2 AND file = $3 AND seq = $4',
    [place.requestId, place.taskId, place.file, place.seq],
  );
  return ciphertext.parse(rows)[0]?.sealed;
}

export async function insertPackage(
  db: Queryable,
  requestId: string,
  taskIds: readonly string[],
): Promise<void> {
  await db.query(
    `WITH made AS (
       INSERT INTO access_packages (request_id, state, created_at) VALUES ($1, 'gathering', now()) RETURNING request_id
     )
     INSERT INTO package_tasks (task_id, request_id) SELECT task, request_id FROM made, unnest($2::text[]) AS task`,
    [requestId, taskIds],
  );
}

/** Fails in the database when there is a piece at one of these places already. */
export async function insertPackageParts(db: Queryable, parts: readonly PackagePart[]): Promise<void> {
  for (const { place, sealed } of parts) {
    await db.query(
      'INSERT INTO package_parts (request_id, task_id, file, seq, sealed) VALUES ($1, $2, $3, $4, $5)',
      [place.requestId, place.taskId, place.file, place.seq, sealed],
    );
  }
}

export async function writePackageTask(db: Queryable, task: PackageTask): Promise<void> {
  await db.query(
    'UPDATE package_tasks SET progress_sealed = $2, gaps = $3, gathered_at = $4 WHERE task_id = $1',
    [task.taskId, task.progressSealed, task.gaps, task.gatheredAt],
  );
}

export async function restartPackage(
  db: Queryable,
  requestId: string,
  taskIds: readonly string[],
): Promise<void> {
  await db.query('DELETE FROM package_parts WHERE request_id = $1 AND task_id = ANY ($2)', [
    requestId,
    taskIds,
  ]);
  await db.query(
    'UPDATE package_tasks SET progress_sealed = NULL, gaps = 0, gathered_at = NULL WHERE task_id = ANY ($1)',
    [taskIds],
  );
  await db.query(
    `UPDATE access_packages SET state = 'gathering', ready_at = NULL, expires_at = NULL, downloaded_at = NULL,
       bytes = NULL, gaps = NULL, manifest_sealed = NULL, download_lease = NULL, download_until = NULL
     WHERE request_id = $1`,
    [requestId],
  );
}

export async function readyPackage(
  db: Queryable,
  ready: Parameters<PackageTransaction['readyPackage']>[0],
): Promise<void> {
  await db.query(
    `UPDATE access_packages SET state = 'ready', ready_at = now(), expires_at = $2, bytes = $3, gaps = $4,
       manifest_sealed = $5
     WHERE request_id = $1 AND state = 'gathering'`,
    [ready.requestId, ready.expiresAt, ready.bytes, ready.gaps, ready.manifestSealed],
  );
}

/** The data goes in the transaction that says so: pieces, manifest, and the session ids of the progress. */
export async function endPackage(
  db: Queryable,
  requestId: string,
  as: 'downloaded' | 'expired' | 'withdrawn',
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE access_packages SET state = $2, manifest_sealed = NULL, download_lease = NULL, download_until = NULL,
       downloaded_at = CASE WHEN $2 = 'downloaded' THEN now() END
     WHERE request_id = $1 AND state IN ('gathering', 'ready')`,
    [requestId, as],
  );
  if (rowCount === 0) return false;
  await db.query('DELETE FROM package_parts WHERE request_id = $1', [requestId]);
  await db.query('UPDATE package_tasks SET progress_sealed = NULL WHERE request_id = $1', [requestId]);
  return true;
}

/** Undefined when the package is not there to be had, or somebody else has it just now. */
export async function beginDownload(
  db: Queryable,
  requestId: string,
  holdMs: number,
): Promise<DownloadLease | undefined> {
  const lease = randomUUID();
  const { rowCount } = await db.query(
    `UPDATE access_packages SET download_lease = $2, download_until = now() + $3 * interval '1 millisecond'
     WHERE request_id = $1 AND state = 'ready' AND expires_at > now()
       AND (download_until IS NULL OR download_until < now())`,
    [requestId, lease, holdMs],
  );
  return rowCount === 1 ? { requestId, lease } : undefined;
}

export async function renewDownload(
  db: Queryable,
  { requestId, lease }: DownloadLease,
  holdMs: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE access_packages SET download_until = now() + $3 * interval '1 millisecond'
     WHERE request_id = $1 AND state = 'ready' AND download_lease = $2`,
    [requestId, lease, holdMs],
  );
  return rowCount === 1;
}

export async function hasDownload(db: Queryable, { requestId, lease }: DownloadLease): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM access_packages WHERE request_id = $1 AND state = 'ready' AND download_lease = $2`,
    [requestId, lease],
  );
  return rowCount === 1;
}

export async function endDownload(db: Queryable, { requestId, lease }: DownloadLease): Promise<void> {
  await db.query(
    `UPDATE access_packages SET download_lease = NULL, download_until = NULL
     WHERE request_id = $1 AND download_lease = $2`,
    [requestId, lease],
  );
}
