import { expect, it } from '@jest/globals';
import { ImportStoppedError, type ImportRow } from '../../src/app/import-source.ts';
import { atMost } from '../../src/app/row-limit.ts';
import { csvRows } from '../../src/http/csv-rows.ts';
import { ndjsonRows } from '../../src/http/ndjson-rows.ts';

/** Rows until the end, or until the file cannot be read on. */
async function read(
  rows: AsyncIterable<ImportRow>,
): Promise<{ rows: ImportRow[]; stop?: ImportStoppedError }> {
  const found: ImportRow[] = [];
  try {
    for await (const row of rows) found.push(row);
    return { rows: found };
  } catch (error) {
    if (!(error instanceof ImportStoppedError)) throw error;
    return { rows: found, stop: error };
  }
}

async function* piecesOf(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield Promise.resolve(bytes.subarray(at, at + size));
}

const csv = (text: string, size = 65_536) => read(csvRows(piecesOf(text, size)));
const ndjson = (text: string, size = 65_536) => read(ndjsonRows(piecesOf(text, size)));
const of = (rows: readonly ImportRow[]) =>
  rows.map((row) => [row.line, 'submission' in row ? row.submission.subject.userId : 'bad']);

const FILE = 'userId,note\r\n"é ""1""","x\r\ny"\r\n\r\n😀,\r\n7,8';
const ROWS = [
  [2, 'é "1"'],
  [5, '😀'],
  [6, '7'],
];

it.each([1, 2, 3, 5, 7, 65_536])('CSV in pieces of %d bytes has the same rows', async (size) => {
  const found = await csv(FILE, size);
  expect(of(found.rows)).toEqual(ROWS);
  expect(found.stop).toBeUndefined();
});

it.each(['\n', '\r', '\r\n'])('CSV may end its lines with %j', async (end) => {
  expect(of((await csv(['userId', 'a', 'b', ''].join(end), 1)).rows)).toEqual([
    [2, 'a'],
    [3, 'b'],
  ]);
});

it.each([1, 2, 3, 5, 7, 65_536])('NDJSON in pieces of %d bytes has the same rows', async (size) => {
  const line = (userId: string) => JSON.stringify({ subject: { userId } });
  const found = await ndjson(`${line('é 1')}\r\n\r\n{\n${line('😀')}\n  \n${line('7')}`, size);
  expect(of(found.rows)).toEqual([
    [1, 'é 1'],
    [3, 'bad'],
    [4, '😀'],
    [6, '7'],
  ]);
});

it('stops at a row that is too long, however it is made, and gives those before', async () => {
  const long = ['x'.repeat(65_600), ','.repeat(500_000), `"${'\n'.repeat(65_600)}"`, 'ab,'.repeat(30_000)];
  for (const text of long) {
    const { rows, stop } = await csv(`userId\nbefore\n${text}\nbehind`);
    expect(of(rows)).toEqual([[2, 'before']]);
    expect([stop?.stop, stop?.line]).toEqual(['IMPORT_TOO_LARGE', 3]);
  }
  const { rows, stop } = await ndjson(`{}\n${'x'.repeat(65_537)}\n{}`);
  expect(of(rows)).toEqual([[1, 'bad']]);
  expect([stop?.stop, stop?.line]).toEqual(['IMPORT_TOO_LARGE', 2]);
});

it('takes a row that is just as long as it may be', async () => {
  const userId = 'x'.repeat(65_535);
  expect((await csv(`userId\n${userId}\n`)).rows).toHaveLength(1);
  expect((await ndjson(`{"a":"${'x'.repeat(65_528)}"}\n`)).rows).toHaveLength(1);
});

it.each([
  ['"open', 3],
  ['\n"early"x', 4],
  ['"two\r\nlines"\nin "the" middle', 5],
])('stops at a row with wrong quotes and gives those before: %j', async (text, line) => {
  for (const size of [1, 65_536]) {
    const { rows, stop } = await csv(`userId\nbefore\n${text}\nbehind\n`, size);
    expect([of(rows)[0], stop?.stop, stop?.line]).toEqual([[2, 'before'], 'IMPORT_MALFORMED', line]);
  }
});

it('stops at the first row above the limit', async () => {
  const three = () => csvRows(piecesOf('userId\na\nb\nc\n', 100));
  expect((await read(atMost(3, three()))).rows).toHaveLength(3);
  const { rows, stop } = await read(atMost(2, three()));
  expect([rows.length, stop?.stop, stop?.line]).toEqual([2, 'IMPORT_TOO_LARGE', 4]);
});
