import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { MigrationError } from './migration-error.ts';

export interface MigrationFile {
  readonly version: number;
  /** File name without its ending, as in `0001_erasure`. */
  readonly name: string;
  readonly sql: string;
  /** Hexadecimal, of the text with line ends as `\n`: a checkout on Windows has the same. */
  readonly sha256: string;
}

const FILE_NAME = /^((\d{4})_[a-z0-9_]+)\.sql$/;

/**
 * `db/migrations` of the package this file belongs to. Compiled, the file lies in `dist/db` while the SQL stays
 * where it is, so the folder is looked for upwards, beside a package.json.
 *
 * @throws MigrationError MIGRATION_INVALID when there is none.
 */
export function findMigrationFolder(from: string = import.meta.dirname): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'db', 'migrations');
    if (existsSync(path.join(folder, 'package.json')) && existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) break;
  }
  throw new MigrationError('MIGRATION_INVALID', `There is no db/migrations in a folder above ${from}.`);
}

/**
 * The migrations of a folder in the order of their numbers. Files that do not end in `.sql` are left alone.
 *
 * @throws MigrationError MIGRATION_INVALID for an unreadable folder, a misnamed file, or a number used twice.
 */
export async function readMigrationFiles(directory: string): Promise<MigrationFile[]> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new MigrationError('MIGRATION_INVALID', `The folder ${directory} cannot be read.`, cause);
  });
  const files: MigrationFile[] = [];
  for (const fileName of names.filter((name) => name.endsWith('.sql')).toSorted()) {
    const file = await readMigrationFile(directory, fileName);
    const previous = files.at(-1);
    if (previous?.version === file.version) {
      const message = `${previous.name}.sql and ${file.name}.sql have the same number.`;
      throw new MigrationError('MIGRATION_INVALID', message);
    }
    files.push(file);
  }
  return files;
}

async function readMigrationFile(directory: string, fileName: string): Promise<MigrationFile> {
  const [, name, digits] = FILE_NAME.exec(fileName) ?? [];
  if (name === undefined || digits === undefined) {
    const message = `${fileName} is not named like 0001_what_it_does.sql.`;
    throw new MigrationError('MIGRATION_INVALID', message);
  }
  const sql = (await readFile(path.join(directory, fileName), 'utf8')).replaceAll('\r\n', '\n');
  return { version: Number(digits), name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
}
