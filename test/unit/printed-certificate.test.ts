import { beforeAll, describe, expect, it } from '@jest/globals';
import jsqr from 'jsqr';
import PDFDocument from 'pdfkit';
import { z } from 'zod';
import { certificateHash } from '../../src/evidence/certificate.ts';
import { fontFile, printable } from '../../src/evidence/pdf/fonts.ts';
import { printCertificate } from '../../src/evidence/pdf/print-certificate.ts';
import { reportedText, resultText } from '../../src/evidence/pdf/words.ts';
import { KEY, sampleCertificate } from '../support/printed-certificate.ts';
import { readPdf, type ReadPdf } from '../support/read-pdf.ts';

const sample = sampleCertificate({ full: true, rounds: 2 });
const fingerprint = certificateHash(sample.certificate).toString('hex');
let bytes: Uint8Array;
let pdf: ReadPdf;

beforeAll(async () => {
  bytes = await printCertificate(sample);
  pdf = readPdf(bytes);
});

const words = (text: string) => text.replace(/\s+/g, ' ');
const holding = (part: string, { objects } = pdf) => objects.filter((body) => body.includes(part));

describe('a certificate on paper', () => {
  it('says what the certificate says', () => {
    const text = words(pdf.pages.join('\n'));
    const { number, subject, statements, residuals } = sample.certificate;
    for (const part of [
      ...[number, subject.ref, ...statements, ...residuals],
      'erasure of personal data, under the GDPR (Regulation (EU) 2016/679)',
      '2026-11-20 09:30 UTC, over the API',
      'user id, named by a pseudonym under version 1 of the key',
      'verified 2026-11-25 02:00 UTC (authenticated account)',
      `API key ${KEY}, 2026-11-25 02:00 UTC somebody on the machine of Lethe, 2026-11-25 02:00 UTC`,
      'default / shopKey0000000000000 user 3b0c44298fc1c149… object storage to be checked',
      '4711 (found running) 2026-11-25 02:00 UTC 12 completed 2026-11-25 02:00 UTC',
      '4712 (found running)',
      'not found 0 found not offered by this server 2026-11-25 02:00 UTC',
      'lethe.example.com/log',
      'are among the 4711 of the log',
      sample.checkpoint.split('\n')[2] ?? '',
      fingerprint.match(/.{8}/g)?.join(' ') ?? '',
    ])
      expect(text).toContain(part);
    expect(text).not.toMatch(/\?|undefined|null|NaN/);
  });

  it('never says of what was not looked at that there was nothing', () => {
    expect(resultText('unavailable')).toBe('not offered by this server');
    expect(resultText('unavailable', 0)).toBe('not offered by this server');
    expect(resultText('absent', 0)).toBe('0 found');
    expect(resultText('something_new')).toBe('something new');
    expect(reportedText({ ...round, reported: null, reportedAt: null })).toBe('nothing');
  });
  const round = { round: 1, jobId: null, submittedAt: null, adopted: false, sessionsBefore: null };

  it('has its fingerprint as a QR code, which is read off what is drawn', () => {
    const rects = Array.from(
      (pdf.drawings[0] ?? '').matchAll(/([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re/g),
      (found) => found.slice(1).map(Number),
    );
    expect(rects.length).toBeGreaterThan(100);
    expect(jsqr.default(...pictureOf(rects))?.data).toBe(fingerprint);
    expect(holding('/S /Figure')).toEqual([expect.stringContaining(fingerprint)]);
  });

  it('is PDF/A-2b, tagged, with its fonts in it', () => {
    const [metadata = ''] = holding('pdfaid');
    expect(metadata).toContain('<pdfaid:part>2</pdfaid:part>');
    expect(metadata).toContain('<pdfaid:conformance>B</pdfaid:conformance>');
    expect(metadata).toContain(`>Erasure certificate ${sample.certificate.number}<`);
    const [catalog = ''] = holding('/Type /Catalog');
    for (const part of ['/Lang (en)', '/MarkInfo', '/StructTreeRoot', '/OutputIntents', '/ViewerPreferences'])
      expect(catalog).toContain(part);
    const fonts = holding('/Type /FontDescriptor');
    expect(fonts.map((font) => /\+(DejaVu[\w-]+)/.exec(font)?.[1]).toSorted()).toEqual([
      'DejaVuSansCondensed',
      'DejaVuSansCondensed-Bold',
      'DejaVuSansMono',
    ]);
    for (const font of fonts) expect(font).toContain('/FontFile2');
    // Nothing is drawn that is neither content nor an artifact.
    for (const drawing of pdf.drawings) {
      const outside = drawing.replace(/(BMC|BDC)\n.*?EMC/gs, '');
      expect(outside).not.toMatch(/\b(TJ|re|S|f)\n/);
    }
  });

  it('is of the same bytes each time, and of others when something else is certified', async () => {
    expect(Buffer.from(await printCertificate(sample)).equals(bytes)).toBe(true);
    const idOf = (of: Uint8Array) => /\/ID \[.*\]/.exec(Buffer.from(of).toString('latin1'))?.[0];
    const other = await printCertificate(sampleCertificate({ full: true, rounds: 2, live: 'absent' }));
    expect(idOf(bytes)).toBeDefined();
    expect(idOf(other)).not.toBe(idOf(bytes));
  });

  it('goes on over pages, each with the head of the table and its number', async () => {
    const { pages, objects } = readPdf(await printCertificate(sampleCertificate({ tasks: 60 })));
    expect(pages.length).toBeGreaterThan(3);
    for (const [index, page] of pages.entries()) expect(page).toContain(`${index + 1} of ${pages.length}`);
    for (const page of pages.slice(1, -1)) expect(words(page)).toMatch(/^Task (Connection \/ )?project/i);
    // The tables of the request and of the log, and one each of the jobs and the readings: not one a page.
    expect(objects.filter((body) => body.includes('/S /Table'))).toHaveLength(4);
    expect(objects.filter((body) => body.includes('/Scope /Column'))).toHaveLength(7 + 6);
    for (let task = 1; task <= 60; task += 1)
      expect(pages.join('\n').match(new RegExp(`^${task}$`, 'gm'))?.length).toBeGreaterThanOrEqual(2);
  });

  it('fits on one page where there is one task', async () => {
    expect(readPdf(await printCertificate(sampleCertificate())).pages).toHaveLength(1);
  });
});

describe('text that the fonts cannot draw', () => {
  it('is said in numbers', async () => {
    expect(printable('é漢Проект\u{1f600}\u0000')).toBe('é<U+6F22>Проект<U+1F600><U+0000>');
    const project = '漢字-Ωmega';
    const { pages } = readPdf(await printCertificate(sampleCertificate({ project })));
    expect(pages.join('').replace(/\s/g, '')).toContain('<U+6F22><U+5B57>-Ωmega');
  });

  it('is all that they cannot draw', () => {
    const opened = z.object({
      _font: z.object({ font: z.object({ characterSet: z.array(z.number()) }) }),
    });
    for (const font of ['regular', 'bold', 'mono'] as const) {
      const doc = new PDFDocument({ font: fontFile(font) });
      const known = new Set(opened.parse(doc)._font.font.characterSet);
      for (let code = 0x20; code < 0x3000; code += 1) {
        const drawn = Array.from(printable(String.fromCodePoint(code)), (one) => one.codePointAt(0) ?? 0);
        if (!drawn.every((one) => known.has(one))) throw new Error(`${font} has no ${code.toString(16)}`);
      }
    }
  });
});

/** Rectangles as black on white, a point being some pixels. */
function pictureOf(rects: readonly number[][]): [Uint8ClampedArray, number, number] {
  const SCALE = 4;
  const xs = rects.flatMap(([x = 0, , width = 0]) => [x, x + width]);
  const ys = rects.flatMap(([, y = 0, , height = 0]) => [y, y + height]);
  const [left, top] = [Math.min(...xs) - 12, Math.min(...ys) - 12];
  const side = Math.ceil((Math.max(...xs) + 12 - left) * SCALE);
  const picture = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [x = 0, y = 0, width = 0, height = 0] of rects) {
    for (let row = Math.round((y - top) * SCALE); row < Math.round((y + height - top) * SCALE); row += 1)
      for (let at = Math.round((x - left) * SCALE); at < Math.round((x + width - left) * SCALE); at += 1)
        picture.fill(0, (row * side + at) * 4, (row * side + at) * 4 + 3);
  }
  return [picture, side, side];
}
