import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  isAlive,
  isPostmasterOf,
  readPostmasterFile,
  removeStalePostmasterFile,
} from '../../src/embedded/postmaster-file.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lethe-postmaster-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = (text: string): Promise<void> => writeFile(path.join(folder, 'postmaster.pid'), text);
const WHOLE = '4711\n/data\n1780000000\n40123\n\n127.0.0.1\n  1234  5\nready\n';
/** Linux gives out no ids above 2^22. */
const NO_PROCESS = 2 ** 22 + 1;

describe('readPostmasterFile', () => {
  it('reads process id and port', async () => {
    await write(WHOLE);
    await expect(readPostmasterFile(folder)).resolves.toEqual({ pid: 4711, port: 40123 });
  });

  it.each([
    '',
    '4711\n',
    '4711\n/data\n1780000000\n',
    '4711\n/data\n1780000000\n\n',
    '-1\n/data\n1\n40123\n',
    'x\n',
  ])('takes %j for none: it was only begun', async (text) => {
    await write(text);
    await expect(readPostmasterFile(folder)).resolves.toBeUndefined();
  });

  it('finds none where none is', async () => {
    await expect(readPostmasterFile(folder)).resolves.toBeUndefined();
  });
});

describe('isPostmasterOf', () => {
  it('says no to a process that is gone', async () => {
    expect(isAlive(NO_PROCESS)).toBe(false);
    await expect(isPostmasterOf(NO_PROCESS, folder)).resolves.toBe(false);
  });

  it('says no to a living process that is another program', async () => {
    expect(isAlive(process.pid)).toBe(true);
    await expect(isPostmasterOf(process.pid, folder)).resolves.toBe(false);
  });
});

describe('removeStalePostmasterFile', () => {
  it('removes the file it was shown', async () => {
    await write(WHOLE);
    await removeStalePostmasterFile(folder, { pid: 4711, port: 40123 });
    await expect(readdir(folder)).resolves.toEqual([]);
  });

  it('leaves a file that another Postgres has written since', async () => {
    await write(WHOLE);
    await removeStalePostmasterFile(folder, { pid: 4710, port: 40123 });
    await expect(readdir(folder)).resolves.toEqual(['postmaster.pid']);
  });
});
