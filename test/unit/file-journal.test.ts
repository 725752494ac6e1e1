import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { JournalEntry } from '../../src/app/ports/journal.ts';
import { newId } from '../../src/ids.ts';
import { createFileJournal } from '../../src/journal/file-journal.ts';
import { readJournal, type BrokenLine } from '../../src/journal/read-journal.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'lethe-journal-'));
});
afterAll(() => rm(home, { recursive: true }));
const createTestFolder = () => mkdtemp(join(home, 'folder-'));

const entry = (at = new Date()): JournalEntry => ({
  at,
  requestId: newId('er'),
  taskId: newId('tk'),
  connection: 'default',
  projectKey: 'project',
  regulation: 'gdpr',
  receivedAt: new Date('2026-11-01T09:30:00.000Z'),
  sealed: Buffer.from('sealed'),
});
const today = () => `${new Date().toISOString().slice(0, 10)}.jsonl`;

async function readAll(directory: string, since = new Date(0)) {
  const broken: BrokenLine[] = [];
  const entries: JournalEntry[] = [];
  for await (const one of readJournal(directory, since, (line) => broken.push(line))) entries.push(one);
  return { entries, broken };
}

it('gives back what was written, by several writers at once, in files for their owner alone', async () => {
  const directory = join(await createTestFolder(), 'journal');
  const writers = [1, 2, 3].map(() => createFileJournal({ directory, keepDays: 1 }));
  const entries = Array.from({ length: 90 }, () => entry());
  await Promise.all(entries.map(async (one, index) => writers[index % 3]?.append(one)));
  const read = await readAll(directory);
  expect(read.broken).toEqual([]);
  const byTask = (a: JournalEntry, b: JournalEntry) => (a.taskId < b.taskId ? -1 : 1);
  expect(read.entries.toSorted(byTask)).toEqual(entries.toSorted(byTask));
  for (const name of await readdir(directory)) {
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  }
});

it('says that an entry is not on the disk', async () => {
  const file = join(await createTestFolder(), 'a file');
  await writeFile(file, '');
  const journal = createFileJournal({ directory: file, keepDays: 1 });
  await expect(journal.append(entry())).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE' });
});

it('begins a line of its own after half a line, and names the half', async () => {
  const directory = await createTestFolder();
  const journal = createFileJournal({ directory, keepDays: 1 });
  const [first, second] = [entry(), entry()];
  await journal.append(first);
  await appendFile(join(directory, today()), '{"v":1,"at":"2026-');
  await journal.append(second);
  expect(await readAll(directory)).toEqual({
    entries: [first, second],
    broken: [{ file: join(directory, today()), line: 2 }],
  });
});

it('gives only what was erased since', async () => {
  const directory = await createTestFolder();
  const journal = createFileJournal({ directory, keepDays: 9_999 });
  const [old, fresh] = [entry(new Date('2026-11-01T00:00:00Z')), entry(new Date('2026-11-01T00:00:01Z'))];
  await journal.append(old);
  await journal.append(fresh);
  expect((await readAll(directory, fresh.at)).entries).toEqual([fresh]);
});

it('keeps what it has to keep, and nothing else of its own', async () => {
  const directory = await createTestFolder();
  await mkdir(join(directory, 'folder'));
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  for (const name of [`${day(4)}.jsonl`, `${day(2)}.jsonl`, 'notes.txt'])
    await writeFile(join(directory, name), '');
  const journal = createFileJournal({ directory, keepDays: 3 });
  await journal.append(entry());
  expect(await readdir(directory)).toEqual([`${day(2)}.jsonl`, today(), 'folder', 'notes.txt']);
  expect(await readFile(join(directory, today()), 'utf8')).toMatch(/^\{"v":1,[^\n]+\}\n$/);
});

it('lets go of what is old also while nothing is written', async () => {
  const directory = await createTestFolder();
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  for (const ago of [4, 2]) await writeFile(join(directory, `${day(ago)}.jsonl`), '');
  await createFileJournal({ directory, keepDays: 3 }).tidy();
  expect(await readdir(directory)).toEqual([`${day(2)}.jsonl`]);
  // Where nothing was ever written there is nothing to let go of.
  await createFileJournal({ directory: join(directory, 'none'), keepDays: 3 }).tidy();
});
