import { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { PackedFile } from '../app/package-files.ts';

/** A ZIP archive of these files, made as it is read: one piece of one file in memory at a time. */
export function zipped(files: readonly PackedFile[], modifiedAt: Date): AsyncIterable<Uint8Array> {
  const zip = new ZipFile();
  const out = new PassThrough();
  zip.outputStream.pipe(out);
  for (const { name, pieces } of files) {
    zip.addReadStreamLazy(name, { mtime: modifiedAt, mode: 0o100600 }, (give) => {
      const file = Readable.from(pieces(), { objectMode: false });
      // yazl does not look whether a file can be read, and would leave its archive open for ever.
      file.once('error', (error) => {
        out.destroy(error);
      });
      give(null, file);
    });
  }
  zip.end();
  return out;
}
