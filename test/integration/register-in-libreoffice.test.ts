import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { registerRowOf } from '../../src/app/register-row.ts';
import { rendered } from '../../src/app/register-formats.ts';
import { findLibreOffice } from '../support/libreoffice.ts';
import { createTestFolder } from '../support/postgres.ts';
import { request } from '../support/requests.ts';
import { task } from '../support/tasks.ts';

const program = findLibreOffice();
const whereItIs = program === undefined ? describe.skip : describe;

const REFERENCES = [
  ...['=1+1', '+1', '-1', '@SUM(1)', ' =1+1', '\u00a0=1+1', '\uff1d1+1', "=cmd|'/c calc'!A1", "'=1"],
  ...['0017', '1e5', '3/4', '2026-03-01', 'DSR "7", Ärger; 日本', 'TRUE', '1,5', ''],
];

/** Quoted fields are text: what the dialog of LibreOffice offers as "format quoted field as text". */
const AS_TEXT = 'CSV:44,34,76,1,,0,true';
/** As it comes: what looks like a number becomes one. */
const AS_IT_COMES = 'CSV:44,34,76,1';
/** Every cell in quotes, as it is shown, but formulas as formulas: what was computed cannot pass for text. */
const WITH_FORMULAS = 'csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,true';

async function reopened(csv: Buffer, filter: string): Promise<string[][]> {
  const folder = await createTestFolder();
  const file = path.join(folder, 'register.csv');
  const out = path.join(folder, 'out');
  await mkdir(out);
  await writeFile(file, csv);
  // A profile of its own: another one that runs would be asked to do it.
  const profile = `-env:UserInstallation=${pathToFileURL(path.join(folder, 'profile')).href}`;
  const argv = [
    profile,
    '--headless',
    `--infilter=${filter}`,
    '--convert-to',
    WITH_FORMULAS,
    '--outdir',
    out,
    file,
  ];
  await promisify(execFile)(program ?? '', argv, { timeout: 50_000 });
  return parse(await readFile(path.join(out, 'register.csv')), { bom: true });
}

async function register(): Promise<Buffer> {
  const rows = REFERENCES.map((reference, at) =>
    registerRowOf({
      request: request({ id: `er_${String(at).padStart(32, '0')}`, reference }),
      subject: { ref: 'ab'.repeat(32), keyVersion: 1 },
      dueOn: '2026-04-01',
      extendedDueOn: null,
      identityMethod: null,
      refusalGround: null,
      approvers: ['ak_1', 'ak_2'],
      holds: [],
      tasks: [task({ connection: 'default', projectKey: '12345678901234567890' })],
      daysToComplete: at,
      leafIndex: 12_345_678_901,
      checkpointSize: 12_345_678_902,
    }),
  );
  // eslint-disable-next-line @typescript-eslint/require-await -- a page that is there
  async function* page() {
    yield rows;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of rendered('csv', page())) chunks.push(chunk);
  return Buffer.concat(chunks);
}

whereItIs('the register in LibreOffice (skipped where soffice is not on the PATH)', () => {
  it('has the same cells when it is read back', async () => {
    const csv = await register();
    expect(await reopened(csv, AS_TEXT)).toEqual(parse(csv, { bom: true }));
  });

  it('computes nothing, however it is opened', async () => {
    const csv = await register();
    const references = (await reopened(csv, AS_IT_COMES)).map((cells) => cells[2] ?? '');
    const written = parse(csv, { bom: true }).map((cells) => cells[2] ?? '');
    const dangerous = written.filter((cell) => cell.startsWith("'"));
    expect(dangerous).toHaveLength(9);
    expect(references.filter((cell) => cell.startsWith("'"))).toEqual(dangerous);
    expect(references.filter((cell) => cell.startsWith('='))).toEqual([]);
  });
});
