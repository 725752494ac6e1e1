import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LetheError } from '../../src/domain/errors.ts';
import { localMasterKeys, writeOnce } from '../../src/local-secrets.ts';

let home = '';
let directory = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lethe-secrets-'));
  // Not there yet, as at a first start.
  directory = join(home, 'data');
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

const sizeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size;

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('the local master key', () => {
  it('is made once: 32 bytes, in a file and a folder that only the owner may read', async () => {
    const { keys, path, made } = await localMasterKeys(directory);
    const [key, ...more] = keys;
    expect(more).toEqual([]);
    expect({ length: key.length, path, made }).toEqual({
      length: 32,
      path: join(directory, 'master-key'),
      made: true,
    });
    expect([modeOf(path), modeOf(directory)]).toEqual(['600', '700']);
    expect(readFileSync(path, 'utf8')).toBe(`${Buffer.from(key).toString('base64')}\n`);
    expect(readdirSync(directory)).toEqual(['master-key']);
  });

  it('is the same at every later start', async () => {
    const first = await localMasterKeys(directory);
    const second = await localMasterKeys(directory);
    expect(second).toEqual({ ...first, made: false });
  });

  it('is another one in another folder', async () => {
    const [one, other] = await Promise.all([
      localMasterKeys(join(home, 'a')),
      localMasterKeys(join(home, 'b')),
    ]);
    expect(one.keys).not.toEqual(other.keys);
  });

  it('is shared by all that start at once, made by one of them, and whole for each', async () => {
    const starts = await Promise.all(Array.from({ length: 20 }, () => localMasterKeys(directory)));
    expect(new Set(starts.map(({ keys }) => Buffer.from(keys[0]).toString('hex'))).size).toBe(1);
    expect(starts.filter(({ made }) => made)).toHaveLength(1);
    expect(starts[0]?.keys[0]).toHaveLength(32);
    expect(readdirSync(directory)).toEqual(['master-key']);
  });

  it('is read without the line end, too', async () => {
    const { keys, path } = await localMasterKeys(directory);
    writeFileSync(path, Buffer.from(keys[0]).toString('base64'));
    expect((await localMasterKeys(directory)).keys).toEqual(keys);
  });

  it('is the first of several lines; the others are given after it', async () => {
    const { keys, path } = await localMasterKeys(directory);
    const next = Buffer.alloc(32, 7);
    writeFileSync(path, `${next.toString('base64')}\r\n\n${readFileSync(path, 'utf8')}`);
    expect((await localMasterKeys(directory)).keys).toEqual([next, ...keys]);
  });

  const good = Buffer.alloc(32, 0x5a).toString('base64');
  it.each([
    ['nothing', ''],
    ['a line end only', '\n'],
    ['the first half of a key', good.slice(0, 20)],
    ['a key without its last character', good.slice(0, -1)],
    ['31 bytes', Buffer.alloc(31, 1).toString('base64')],
    ['33 bytes', Buffer.alloc(33, 1).toString('base64')],
    ['a key with a stray character', `!${good}`],
    ['a key broken over two lines', `${good.slice(0, 20)}\n${good.slice(20)}`],
  ])('is refused when the file holds %s, and the file is left as it is', async (_name, content) => {
    const { path } = await localMasterKeys(directory);
    writeFileSync(path, content);
    const error = await errorOf(localMasterKeys(directory));
    expect(error).toBeInstanceOf(LetheError);
    expect(error).toMatchObject({ code: 'MASTER_KEY_INVALID', message: expect.stringContaining(path) });
    if (content.trim() !== '') expect(String(error)).not.toContain(content.trim());
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  it('is never where a crash left an unfinished file', async () => {
    const { path } = await localMasterKeys(directory);
    rmSync(path);
    writeFileSync(`${path}.0b1c`, good.slice(0, 10));
    const { keys, made } = await localMasterKeys(directory);
    expect([keys[0].length, made]).toEqual([32, true]);
  });
});

describe('writeOnce', () => {
  it('writes a file of mode 0600, and never over one that is there', async () => {
    const path = join(directory, 'secret');
    await expect(writeOnce(path, 'first')).resolves.toBe(true);
    await expect(writeOnce(path, 'second')).resolves.toBe(false);
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['first', '600']);
  });

  it('shows a reader nothing or everything', async () => {
    const path = join(directory, 'secret');
    const content = 'x'.repeat(5_000_000);
    const writing = { ended: false };
    const written = writeOnce(path, content).finally(() => {
      writing.ended = true;
    });
    const seen = new Set<number | undefined>();
    while (!writing.ended) {
      seen.add(sizeOf(path));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await written;
    seen.add(sizeOf(path)).delete(undefined);
    expect([...seen]).toEqual([content.length]);
  });

  it('says what is wrong with the folder, and leaves nothing behind', async () => {
    writeFileSync(directory, 'a file');
    expect(await errorOf(writeOnce(join(directory, 'secret'), 'text'))).toMatchObject({
      code: expect.stringMatching(/^(EEXIST|ENOTDIR)$/),
    });
    expect(readdirSync(home)).toEqual(['data']);
  });
});
