import { buffer } from 'node:stream/consumers';
import PDFDocument from 'pdfkit';
import { fontFile, printable, type Font } from './fonts.ts';

/** How text looks; sizes are in points. */
export interface Style {
  readonly font: Font;
  readonly size: number;
  readonly colour?: string;
}

/** A place on the current page, in points from its top left. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** An element of the document's structure, which readers that speak follow. */
export type Element = PDFKit.PDFStructureElement;

interface TagOptions {
  readonly alt?: string;
  readonly placement?: 'Block';
  /** Left, top, right, bottom. */
  readonly bbox?: [number, number, number, number];
  readonly scope?: 'Row' | 'Column';
}

const A4 = { width: 595.28, height: 841.89 } as const;
const MARGIN = { left: 50, right: 50, top: 44, bottom: 56 } as const;
const GREY = '#595959';
const INK = '#111111';
const FOOTER: Style = { font: 'regular', size: 7.5, colour: GREY };

/** Pages of A4 that are filled from the top down. All that is drawn is an element of the structure or an artifact. */
export class Sheet {
  static readonly left = MARGIN.left;
  static readonly width = A4.width - MARGIN.left - MARGIN.right;
  /** Where the next thing goes. */
  y: number = MARGIN.top;
  readonly #doc: PDFKit.PDFDocument;
  readonly #root: Element;

  /** @param about.at becomes the time of the document, so that the same content has the same bytes */
  constructor(about: { title: string; keywords: string; creator: string; at: Date }) {
    const { title, keywords, creator, at } = about;
    this.#doc = new PDFDocument({
      ...{ size: 'A4', margins: MARGIN, font: fontFile('regular'), bufferPages: true },
      ...{ subset: 'PDF/A-2b', pdfVersion: '1.7', tagged: true, lang: 'en', displayTitle: true },
      // The document's id is made of these.
      info: { Title: title, Keywords: keywords, Creator: creator, CreationDate: at },
    });
    this.#root = this.#doc.struct('Document');
    this.#doc.addStructure(this.#root);
  }

  /** A part of the document, such as a paragraph; or of `parent`, such as the cell of a row. */
  element(type: string, parent: Element = this.#root, options: TagOptions = {}): Element {
    const element = this.#doc.struct(type, options);
    parent.add(element);
    return element;
  }

  /** Draws what belongs to an element, on the current page. */
  within(element: Element, draw: (doc: PDFKit.PDFDocument) => void): void {
    element.add(() => {
      draw(this.#doc);
    });
  }

  /** Draws what is no content: lines, and what is repeated on each page. */
  artifact(type: 'Layout' | 'Pagination', draw: (doc: PDFKit.PDFDocument) => void): void {
    this.#doc.markContent('Artifact', { type });
    draw(this.#doc);
    this.#doc.endMarkedContent();
  }

  heightOf(text: string, style: Style, width: number): number {
    return this.#inStyle(style).heightOfString(printable(text), { width, lineGap: 1 });
  }

  /** Draws text, inside of `within` or `artifact`. */
  write(text: string, style: Style, { x, y, width }: Box): void {
    this.#inStyle(style).text(printable(text), x, y, { width, lineGap: 1 });
  }

  /** True where this fits on the page; else a new page is begun. */
  fits(height: number): boolean {
    if (this.y + height <= A4.height - MARGIN.bottom) return true;
    this.#doc.addPage();
    this.y = MARGIN.top;
    return false;
  }

  /** A block of text below what is there already. */
  block(
    text: string,
    style: Style,
    place: { type: string; parent?: Element; indent?: number; width?: number },
  ) {
    const { type, parent, indent = 0, width = Sheet.width - indent } = place;
    const height = this.heightOf(text, style, width);
    this.fits(height);
    this.within(this.element(type, parent), () => {
      this.write(text, style, { x: Sheet.left + indent, y: this.y, width });
    });
    this.y += height;
  }

  line(y: number, colour = '#b0b0b0'): void {
    this.artifact('Layout', (doc) => {
      doc.lineWidth(0.5).moveTo(Sheet.left, y);
      doc.lineTo(Sheet.left + Sheet.width, y).stroke(colour);
    });
  }

  /** Ends the document with `footer` and its number at the foot of each page. */
  async finish(footer: string): Promise<Uint8Array> {
    const { start, count } = this.#doc.bufferedPageRange();
    for (let page = start; page < start + count; page += 1) {
      this.#doc.switchToPage(page);
      this.#footer(footer, `${page + 1} of ${count}`);
    }
    this.#root.end();
    this.#doc.end();
    return buffer(this.#doc);
  }

  #footer(left: string, right: string): void {
    const y = A4.height - MARGIN.bottom + 22;
    this.line(y - 5);
    this.artifact('Pagination', () => {
      const doc = this.#inStyle(FOOTER);
      doc.text(printable(left), Sheet.left, y, { lineBreak: false });
      const x = Sheet.left + Sheet.width - doc.widthOfString(right);
      doc.text(right, x, y, { lineBreak: false });
    });
  }

  #inStyle({ font, size, colour = INK }: Style): PDFKit.PDFDocument {
    return this.#doc.font(fontFile(font)).fontSize(size).fillColor(colour);
  }
}
