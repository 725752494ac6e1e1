import { create } from 'qrcode';
import type { Sheet } from './sheet.ts';

/**
 * Draws text as a QR code of dark squares, so that it is as sharp as the printer.
 *
 * @param place.size points of the dark part; around it, four modules have to stay white
 */
export function drawQrCode(
  sheet: Sheet,
  text: string,
  place: { x: number; y: number; size: number; alt: string },
): void {
  const { x, y, size, alt } = place;
  const { modules } = create(text, { errorCorrectionLevel: 'M' });
  const side = size / modules.size;
  const figure = sheet.element('Figure', undefined, {
    alt,
    placement: 'Block',
    bbox: [x, y, x + size, y + size],
  });
  sheet.within(figure, (doc) => {
    for (const { row, column, length } of runsOf(modules)) {
      // A little wider than the grid, so that no hairline shows between two rows.
      doc.rect(x + column * side, y + row * side, length * side, side + 0.05);
    }
    doc.fill('#000000');
  });
}

interface Run {
  readonly row: number;
  readonly column: number;
  readonly length: number;
}

/** Dark modules that stand beside each other. */
function runsOf({ size, data }: { size: number; data: Uint8Array }): readonly Run[] {
  return Array.from({ length: size }, (_, row) => {
    const cells = data.subarray(row * size, (row + 1) * size).join('');
    return Array.from(cells.matchAll(/1+/g), ({ index, 0: run }) => ({
      row,
      column: index,
      length: run.length,
    }));
  }).flat();
}
