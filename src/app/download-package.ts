import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ManifestFile } from '../domain/access-package.ts';
import { LetheError } from '../domain/errors.ts';
import type { Actor, EventDraft } from '../domain/events.ts';
import { encodeEvents } from './encode-events.ts';
import { packedTasks, type PackedFile } from './package-files.ts';
import type { Deps } from './ports.ts';
import type { AccessPackage, DownloadLease } from './ports/packages.ts';
import type { Box } from './ports/vault.ts';

/** The request asks for no access, or has no package yet because nothing was looked for. Code PACKAGE_NOT_FOUND. */
export class PackageNotFoundError extends LetheError {
  constructor() {
    super('PACKAGE_NOT_FOUND', 'There is no access package of this request.');
  }
}

/** Data is still being gathered. Code PACKAGE_NOT_READY. */
export class PackageNotReadyError extends LetheError {
  constructor() {
    super('PACKAGE_NOT_READY', 'The access package is still being gathered.');
  }
}

/** It was handed out, has expired, or was withdrawn: its data is deleted. Code PACKAGE_GONE. */
export class PackageGoneError extends LetheError {
  constructor(state: string) {
    super('PACKAGE_GONE', `The access package is ${state}; its data is deleted.`);
  }
}

/** It is handed out once, and somebody is getting it just now. Code PACKAGE_IN_USE. */
export class PackageInUseError extends LetheError {
  constructor() {
    super('PACKAGE_IN_USE', 'The access package is being downloaded just now.');
  }
}

/** The data read back is not what the manifest says. Nobody gets it. Code PACKAGE_DAMAGED. */
export class PackageDamagedError extends LetheError {
  constructor() {
    super('PACKAGE_DAMAGED', 'A file of the access package is not the one that its manifest names.');
  }
}

/** A download that has begun. It ends in one of the two. */
export interface Download {
  readonly readyAt: Date;
  /** The manifest first. */
  readonly files: readonly PackedFile[];
  /** Everything was sent: the package's data is deleted, and there is no second time. */
  readonly sent: () => Promise<void>;
  /** It broke off: it may be tried again. */
  readonly broken: () => Promise<void>;
}

/** A caller that takes nothing for so long has gone away; others may download then. */
const HOLD_MS = 60_000;

/**
 * Whether a package can be had just now; changes nothing.
 *
 * @returns undefined when there is no request with this id
 * @throws PackageNotFoundError, PackageNotReadyError, PackageGoneError
 */
export async function lookForPackage(
  { store }: Pick<Deps, 'store'>,
  requestId: string,
): Promise<true | undefined> {
  const found = await store.findRequest(requestId);
  if (found === undefined) return undefined;
  requireReady(found.accessPackage ?? undefined);
  return true;
}

function requireReady(kept: AccessPackage | undefined): AccessPackage & { readonly readyAt: Date } {
  if (kept === undefined) throw new PackageNotFoundError();
  if (kept.state === 'gathering') throw new PackageNotReadyError();
  const { readyAt } = kept;
  if (kept.state !== 'ready' || readyAt === null) throw new PackageGoneError(kept.state);
  return { ...kept, readyAt };
}

/**
 * Begins to hand a package out. Each try is an audit event, stored before the first byte is sent.
 *
 * @throws as lookForPackage, and PackageInUseError
 */
export async function beginDownload(
  deps: Pick<Deps, 'store' | 'vault' | 'encodeEvent'>,
  command: { requestId: string; apiKeyId: string },
): Promise<Download> {
  const { requestId, apiKeyId } = command;
  const actor: Actor = { kind: 'api_key', id: apiKeyId };
  const begun = await deps.store.withRequest(requestId, async (tx, scope) => {
    const kept = requireReady(await tx.findPackage(requestId));
    if (scope === undefined) throw new PackageNotFoundError();
    // The work that deletes it may be late.
    if (kept.expiresAt === null || kept.expiresAt <= tx.now) throw new PackageGoneError('expired');
    const lease = await tx.beginDownload(requestId, HOLD_MS);
    if (lease === undefined) throw new PackageInUseError();
    const draft: EventDraft = { type: 'package.download_begun', actor };
    const { request } = scope;
    await tx.write(requestId, { events: encodeEvents(deps, { request, now: tx.now }, [draft]) });
    return { lease, readyAt: kept.readyAt, dataKey: scope.dataKey };
  });
  const { lease, readyAt, dataKey } = begun;
  try {
    return {
      readyAt,
      files: await filesOf(deps, lease, deps.vault.boxOf(dataKey)),
      sent: () => finish(deps, lease, actor),
      broken: () => deps.store.endDownload(lease),
    };
  } catch (error) {
    await deps.store.endDownload(lease);
    throw error;
  }
}

const manifest = z.looseObject({
  files: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
});

async function filesOf(
  deps: Pick<Deps, 'store'>,
  lease: DownloadLease,
  box: Box,
): Promise<readonly PackedFile[]> {
  const sealed = await deps.store.findManifest(lease.requestId);
  if (sealed === undefined) throw new PackageGoneError('gone');
  const content: unknown = JSON.parse(box.openText(lease.requestId, sealed, 'manifest'));
  const listed = manifest.parse(content).files;
  const packed = (await packedTasks(deps, lease.requestId, box)).flatMap((task) => task.files);
  if (packed.length !== listed.length) throw new PackageDamagedError();
  const text = Buffer.from(`${JSON.stringify(content, null, 2)}\n`, 'utf8');
  return [
    { name: 'manifest.json', pieces: () => onePiece(text) },
    ...packed.map((file, index) => checkedFile(deps, { lease, file, listed: listed[index] })),
  ];
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one
async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** A file that ends well only when it is the one of the manifest, and the download is still this one. */
function checkedFile(
  { store }: Pick<Deps, 'store'>,
  of: { lease: DownloadLease; file: PackedFile; listed: ManifestFile | undefined },
): PackedFile {
  const { lease, file, listed } = of;
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createHash('sha256');
    for await (const piece of file.pieces()) {
      if (!(await store.renewDownload(lease, HOLD_MS))) throw new PackageGoneError('no longer yours');
      hash.update(piece);
      yield piece;
    }
    const damaged = file.name !== listed?.name || hash.digest('hex') !== listed.sha256;
    if (damaged) throw new PackageDamagedError();
  }
  return { name: file.name, pieces };
}

async function finish(
  deps: Pick<Deps, 'store' | 'encodeEvent'>,
  download: DownloadLease,
  actor: Actor,
): Promise<void> {
  const { requestId } = download;
  await deps.store.withRequest(requestId, async (tx, scope) => {
    if (scope === undefined || !(await tx.hasDownload(download))) throw new PackageGoneError('gone');
    const { request } = scope;
    const draft: EventDraft = { type: 'package.downloaded', actor };
    await tx.write(requestId, { events: encodeEvents(deps, { request, now: tx.now }, [draft]) });
    await tx.endPackage(requestId, 'downloaded');
    // Nothing is left to expire.
    await tx.deleteWorkOf(requestId, null);
  });
}
