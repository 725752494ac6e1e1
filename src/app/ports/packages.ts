import type { PackageState, PartPlace } from '../../domain/access-package.ts';
import type { Sealed } from './sealed.ts';

/** What the use cases need to gather access packages and to hand them out. Part of ports.ts. */

export interface AccessPackage {
  readonly requestId: string;
  readonly state: PackageState;
  readonly readyAt: Date | null;
  /** When its data is deleted; null until it is ready. */
  readonly expiresAt: Date | null;
  readonly downloadedAt: Date | null;
  /** Plain bytes of all files; null until it is ready. */
  readonly bytes: number | null;
  /** Things that could not be read; null until it is ready. */
  readonly gaps: number | null;
}

/** One task's part of a package. */
export interface PackageTask {
  readonly taskId: string;
  /** Null before anything was read. */
  readonly progressSealed: Sealed | null;
  readonly gaps: number;
  readonly gatheredAt: Date | null;
}

export interface PackagePart {
  readonly place: PartPlace;
  readonly sealed: Sealed;
}

/** A download that is under way: while it is, there is no other. */
export interface DownloadLease {
  readonly requestId: string;
  readonly lease: string;
}

export interface PackageStore {
  findPackage(requestId: string): Promise<AccessPackage | undefined>;
  /** In the order of the request's tasks. */
  listPackageTasks(requestId: string): Promise<readonly PackageTask[]>;
  /** Of a package that is ready. */
  findManifest(requestId: string): Promise<Sealed | undefined>;
  findPackagePart(place: PartPlace): Promise<Sealed | undefined>;
  /** False when the package or the download is no longer the caller's. */
  renewDownload(download: DownloadLease, holdMs: number): Promise<boolean>;
  /** Lets others download, if it is still the caller's. */
  endDownload(download: DownloadLease): Promise<void>;
}

export interface PackageTransaction {
  findPackage(requestId: string): Promise<AccessPackage | undefined>;
  listPackageTasks(requestId: string): Promise<readonly PackageTask[]>;
  insertPackage(requestId: string, taskIds: readonly string[]): Promise<void>;
  insertPackageParts(parts: readonly PackagePart[]): Promise<void>;
  writePackageTask(task: PackageTask): Promise<void>;
  /** Forgets what was gathered of these tasks, to gather it anew. */
  restartPackage(requestId: string, taskIds: readonly string[]): Promise<void>;
  readyPackage(
    ready: Pick<AccessPackage, 'requestId' | 'bytes' | 'gaps'> & { expiresAt: Date; manifestSealed: Sealed },
  ): Promise<void>;
  /** Deletes the data of a package for good; false when there is none any more. */
  endPackage(requestId: string, as: 'downloaded' | 'expired' | 'withdrawn'): Promise<boolean>;
  /** Undefined when the package is not ready or another download is under way. */
  beginDownload(requestId: string, holdMs: number): Promise<DownloadLease | undefined>;
  /** Whether this download is still the one under way. */
  hasDownload(download: DownloadLease): Promise<boolean>;
}
