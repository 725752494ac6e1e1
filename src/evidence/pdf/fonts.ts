import { createRequire } from 'node:module';

/** Where the packages of this installation lie. */
const packages = createRequire(import.meta.url);

const FILES = {
  regular: 'DejaVuSansCondensed.ttf',
  bold: 'DejaVuSansCondensed-Bold.ttf',
  mono: 'DejaVuSansMono.ttf',
} as const;
export type Font = keyof typeof FILES;

/** The file of a font. Parts of it are embedded, as PDF/A asks for: no reader's own fonts are relied upon. */
export function fontFile(font: Font): string {
  return packages.resolve(`dejavu-fonts-ttf/ttf/${FILES[font]}`);
}

/** What all of these fonts can draw: Latin, Greek, Cyrillic and the usual signs. */
const UNKNOWN =
  /[^\n\u0020-\u007e\u00a0-\u00ac\u00ae-\u017f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f\u2010-\u2015\u2018-\u201e\u2022\u2026\u20ac]/gu;

/** Text with the number of a character in place of each that the fonts do not have: PDF/A allows no empty boxes. */
export function printable(text: string): string {
  return text
    .normalize('NFC')
    .replace(
      UNKNOWN,
      (one) => `<U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
    );
}
