import stringWidth from 'string-width';

export interface Column {
  readonly title: string;
  /** May be cut to fit the line; ids and states never are. */
  readonly flexible?: boolean;
}

const GAP = '  ';
const MIN_FLEXIBLE = 6;

/**
 * What a terminal would obey instead of show, in texts that others wrote (names of projects, references): control
 * characters, and those that turn the direction of writing.
 */
// eslint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const HOSTILE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text of somebody else's as it may be shown on one line. */
export function plain(text: string): string {
  return text.replaceAll(HOSTILE, '\u{fffd}');
}

/** A table of plain cells in at most `width` columns where the flexible ones allow it. Wide characters count twice. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const cells = rows.map((row) => columns.map((_, index) => plain(row[index] ?? '')));
  const widths = fitted(columns, naturalWidths(columns, cells), width);
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => padded(cut(cell, widths[index] ?? 0), widths[index] ?? 0))
      .join(GAP)
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)].join('\n');
}

function naturalWidths(columns: readonly Column[], cells: readonly (readonly string[])[]): number[] {
  return columns.map(({ title }, index) =>
    Math.max(stringWidth(title), ...cells.map((row) => stringWidth(row[index] ?? ''))),
  );
}

/** Takes from the widest flexible column until the line fits. */
function fitted(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const gaps = GAP.length * (widths.length - 1);
  for (;;) {
    const excess = widths.reduce((sum, one) => sum + one, gaps) - width;
    const widest = widestFlexible(columns, widths);
    if (excess <= 0 || widest === undefined) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function widestFlexible(columns: readonly Column[], widths: readonly number[]): number | undefined {
  return columns
    .flatMap(({ flexible }, index) =>
      flexible === true && (widths[index] ?? 0) > MIN_FLEXIBLE ? [index] : [],
    )
    .toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
}

const graphemes = new Intl.Segmenter();

function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  for (const { segment } of graphemes.segment(text)) {
    if (stringWidth(kept + segment) > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** Breaks a sentence between words into lines of at most `width`; those after the first get `indent` before them. */
export function wrapped(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  for (const word of plain(text).split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`;
    if (lines.length > 0 && stringWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join(`\n${indent}`);
}
