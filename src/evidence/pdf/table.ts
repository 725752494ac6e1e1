import { Sheet, type Element, type Style } from './sheet.ts';

/** A column; the widths of all share the width of the sheet. */
export interface Column {
  readonly title: string;
  readonly width: number;
}

const HEAD: Style = { font: 'bold', size: 7.5 };
const CELL: Style = { font: 'regular', size: 8 };
const PADDING = { x: 3, y: 2.5 } as const;

interface Row {
  readonly cells: readonly string[];
  readonly style: Style;
}

interface Grid {
  readonly sheet: Sheet;
  readonly columns: readonly Column[];
}

/** A table. Its head stands again on each page that it goes on to; rows are never divided. */
export function drawTable(
  sheet: Sheet,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const total = columns.reduce((sum, { width }) => sum + width, 0);
  const grid = {
    sheet,
    columns: columns.map(({ title, width }) => ({ title, width: (width / total) * Sheet.width })),
  };
  const head = { cells: columns.map(({ title }) => title), style: HEAD };
  const [first = []] = rows;
  // The head does not stay behind alone.
  sheet.fits(heightOf(grid, head) + heightOf(grid, { cells: first, style: CELL }));
  const table = sheet.element('Table');
  drawRow(grid, head, { table, type: 'TH' });
  for (const cells of rows) {
    const row = { cells, style: CELL };
    if (!sheet.fits(heightOf(grid, row))) repeatHead(grid, head);
    drawRow(grid, row, { table, type: 'TD' });
  }
  table.end();
}

function heightOf({ sheet, columns }: Grid, { cells, style }: Row): number {
  const heights = columns.map(({ width }, at) =>
    sheet.heightOf(cells[at] ?? '', style, width - 2 * PADDING.x),
  );
  return Math.max(...heights) + 2 * PADDING.y;
}

function drawRow(grid: Grid, row: Row, as: { table: Element; type: 'TH' | 'TD' }): void {
  const { sheet } = grid;
  const element = sheet.element('TR', as.table);
  eachCell(grid, row, (write) => {
    const cell = sheet.element(as.type, element, as.type === 'TH' ? { scope: 'Column' } : {});
    sheet.within(cell, write);
  });
  element.end();
}

/** Read aloud, the table has its head once. */
function repeatHead(grid: Grid, head: Row): void {
  eachCell(grid, head, (write) => {
    grid.sheet.artifact('Pagination', write);
  });
}

function eachCell(grid: Grid, row: Row, place: (write: () => void) => void): void {
  const { sheet, columns } = grid;
  const height = heightOf(grid, row);
  let x = Sheet.left;
  for (const [at, { width }] of columns.entries()) {
    const box = { x: x + PADDING.x, y: sheet.y + PADDING.y, width: width - 2 * PADDING.x };
    place(() => {
      sheet.write(row.cells[at] ?? '', row.style, box);
    });
    x += width;
  }
  sheet.y += height;
  sheet.line(sheet.y);
}

const NAME_WIDTH = 92;
const NAME: Style = { font: 'regular', size: 8.5, colour: '#595959' };

/** Names with what stands behind each. A value in `mono` is meant to be compared letter by letter. */
export function drawFields(
  sheet: Sheet,
  fields: readonly { readonly name: string; readonly value: string; readonly mono?: true }[],
): void {
  const table = sheet.element('Table');
  for (const { name, value, mono } of fields) {
    const style: Style = mono ? { font: 'mono', size: 7.5 } : { font: 'regular', size: 8.5 };
    const width = Sheet.width - NAME_WIDTH;
    const height = Math.max(sheet.heightOf(value, style, width), sheet.heightOf(name, NAME, NAME_WIDTH));
    sheet.fits(height);
    const row = sheet.element('TR', table);
    const { y } = sheet;
    sheet.within(sheet.element('TH', row, { scope: 'Row' }), () => {
      sheet.write(name, NAME, { x: Sheet.left, y, width: NAME_WIDTH });
    });
    sheet.within(sheet.element('TD', row), () => {
      sheet.write(value, style, { x: Sheet.left + NAME_WIDTH, y: mono ? y + 1 : y, width });
    });
    row.end();
    sheet.y += height + 1;
  }
  table.end();
}
