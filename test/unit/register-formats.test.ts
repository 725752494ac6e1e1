import { describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { registerRow, registerRowOf, type RegisterRow } from '../../src/app/register-row.ts';
import type { RegisterEntry } from '../../src/app/ports/reports.ts';
import { csvCell, rendered } from '../../src/app/register-formats.ts';
import { request } from '../support/requests.ts';

const ID = `er_${'0'.repeat(32)}`;
const entry = (changes: Partial<RegisterEntry> = {}): RegisterEntry => ({
  request: request({ id: ID }),
  subject: { ref: 'ab'.repeat(32), keyVersion: 1 },
  dueOn: '2026-04-01',
  extendedDueOn: '2026-06-01',
  identityMethod: null,
  refusalGround: null,
  approvers: [],
  holds: [],
  tasks: [],
  daysToComplete: null,
  leafIndex: null,
  checkpointSize: null,
  ...changes,
});
const named = (reference: string) => registerRowOf(entry({ request: request({ id: ID, reference }) }));

async function written(format: 'csv' | 'jsonl', pages: readonly (readonly RegisterRow[])[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  // eslint-disable-next-line @typescript-eslint/require-await -- pages that are there
  async function* source() {
    yield* pages;
  }
  for await (const chunk of rendered(format, source())) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const COLUMNS =
  'request_id, channel, ticket_ref, article, regulation, subject_ref, key_version, received_at, identity_method, identity_verified_at, paused_from, paused_to, due_at, extended_to, extension_reason, extension_notified_at, decision, refusal_ground, approver, projects, job_ids, reported_status, verified_at, residuals, recipients_notified, completed_at, days_to_complete, leaf_index, checkpoint_size'.split(
    ', ',
  );

describe('the register as CSV', () => {
  it('has a byte order mark, the columns in their order, CRLF, and quotes around every field', async () => {
    const text = (await written('csv', [[named('DSR "7"')], [named('x')]])).toString('utf8');
    expect(text.startsWith(`\ufeff${COLUMNS.map((name) => `"${name}"`).join(',')}\r\n`)).toBe(true);
    const lines = text.slice(1).split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^"er_0{32}","api","DSR ""7""","GDPR Art\. 17\(1\)","gdpr",/);
    for (const line of lines.slice(0, 3)) expect(line).toMatch(/^("([^"]|"")*",){28}"([^"]|"")*"$/);
    expect(lines[3]).toBe('');
  });

  it('of nothing has its columns', async () => {
    expect(parse(await written('csv', []), { bom: true })).toEqual([COLUMNS]);
    expect((await written('jsonl', [])).length).toBe(0);
  });

  const starts = ['=', '+', '-', '@', '\t', '\r', '\uff1d', '\uff0b', '\uff0d', '\uff20'];
  const before = ['', ' ', '   ', '\u00a0', '\ufeff', '\n', '\0', ' \u00a0\n\ufeff\0 '];
  it.each(starts.flatMap((start) => before.map((lead) => [`${lead}${start}1+1`])))(
    'marks %j as text',
    (value) => {
      expect(csvCell(value)).toBe(`'${value}`);
      expect(csvCell([value, 'b'])).toBe(`'${value}; b`);
    },
  );

  it.each(['DSR-17', 'a=b', "'=1", '1-2', '', 'x@example', ' x', '(=1)'])('leaves %j as it is', (value) => {
    expect(csvCell(value)).toBe(value);
  });

  it('gives every cell back, but for that mark', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(fc.constantFrom(...before), fc.constantFrom(...starts, '"', ',', ';', '\r\n'), fc.string())
        .map((parts) => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), async (values) => {
        const read = parse(await written('csv', [values.map(named)]), { bom: true }).slice(1);
        const cells = read.map((row) => row[2] ?? '');
        expect(cells).toEqual(values.map((value) => csvCell(value)));
        expect(cells.map((cell, at) => (cell === values[at] ? '' : cell.slice(0, 1)))).toEqual(
          values.map((value) => (csvCell(value) === value ? '' : "'")),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('says what the JSON lines say', async () => {
    const rows = [named('=1'), registerRowOf(entry({ approvers: ['ak_1', 'ak_2'], leafIndex: 7 }))];
    const lines = (await written('jsonl', [rows])).toString('utf8').trimEnd().split('\n');
    const parsed = lines.map((line) => registerRow.parse(JSON.parse(line)));
    expect(parsed).toEqual(rows);
    const cells = parse(await written('csv', [rows]), { bom: true }).slice(1);
    expect(cells).toEqual(rows.map((row) => Object.values(row).map(csvCell)));
  });
});
