import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { findMigrationFolder } from '../db/migration-files.ts';

const manifest = z.object({ version: z.string() });

/** Of package.json, which lies beside db/migrations, whether this file is compiled or not. */
export function productVersion(): string {
  const file = join(findMigrationFolder(), '..', '..', 'package.json');
  return manifest.parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}
