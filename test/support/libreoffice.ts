import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** LibreOffice's program, where it is on the PATH. */
export function findLibreOffice(): string | undefined {
  const places = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return places.map((folder) => path.join(folder, 'soffice')).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
