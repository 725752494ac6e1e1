import { fileName, PACKAGE_FILES, type PackageFile, type Progress } from '../domain/access-package.ts';
import { openProgress } from './package-progress.ts';
import type { Deps } from './ports.ts';
import type { Box } from './ports/vault.ts';

/** A file of a package, opened piece by piece: never whole in memory. */
export interface PackedFile {
  readonly name: string;
  /** Plain bytes. Throws VaultUnreadableError for a piece that is not the one of its place. */
  readonly pieces: () => AsyncIterable<Uint8Array>;
}

/** One task's part of a package. */
export interface PackedTask {
  readonly taskId: string;
  readonly folder: string;
  readonly progress: Progress;
  readonly files: readonly PackedFile[];
}

/** What was gathered for a request, in the order in which it stands in the package. */
export async function packedTasks(
  { store }: Pick<Deps, 'store'>,
  requestId: string,
  box: Box,
): Promise<readonly PackedTask[]> {
  const tasks = await store.listPackageTasks(requestId);
  return tasks.map((task, index) => {
    const { taskId } = task;
    const progress = openProgress(box, task);
    if (progress === undefined) throw new Error(`nothing was gathered of task ${taskId}`);
    const files = PACKAGE_FILES.filter((file) => progress.parts[file] > 0).map((file) => ({
      name: fileName(index, file),
      pieces: () => piecesOf(store, { requestId, taskId, file, box }, progress.parts[file]),
    }));
    return { taskId, folder: fileName(index, 'user').split('/', 1)[0] ?? '', progress, files };
  });
}

/** As many as the sealed progress counts: one that was taken away is missed. */
async function* piecesOf(
  store: Pick<Deps['store'], 'findPackagePart'>,
  { box, ...of }: { requestId: string; taskId: string; file: PackageFile; box: Box },
  count: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let seq = 0; seq < count; seq += 1) {
    const place = { ...of, seq };
    const part = await store.findPackagePart(place);
    if (part === undefined) throw new Error(`a piece of the package of ${of.requestId} is gone`);
    yield box.openPart(place, part);
  }
}
