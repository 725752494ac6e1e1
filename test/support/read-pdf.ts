import { inflateSync } from 'node:zlib';

/** What a test wants to know of a PDF as pdfkit writes it. */
export interface ReadPdf {
  /** Each object as it stands there, streams unpacked. */
  readonly objects: readonly string[];
  /** The text of each page, a line of it a line. */
  readonly pages: readonly string[];
  /** What each page draws: the operators of its content. */
  readonly drawings: readonly string[];
}

/** Reads text back by way of the fonts' own tables, as a reader that copies or speaks text does. */
export function readPdf(bytes: Uint8Array): ReadPdf {
  const text = Buffer.from(bytes).toString('latin1');
  const objects = new Map(
    Array.from(text.matchAll(/^(\d+) 0 obj\n(.*?)\nendobj$/gms), ([, id = '', body = '']) => [
      id,
      unpacked(body),
    ]),
  );
  const at = (id: string | undefined) => objects.get(id ?? '') ?? '';
  const fonts = new Map<string, readonly string[]>();
  for (const body of objects.values()) {
    for (const [, name = '', id] of body.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
      const map = /\/ToUnicode (\d+) 0 R/.exec(at(id))?.[1];
      if (map !== undefined) fonts.set(name, lettersOf(at(map)));
    }
  }
  const drawings = [...objects.values()]
    .filter((body) => /^\/Type \/Page$/m.test(body))
    .map((body) => at(/\/Contents (\d+) 0 R/.exec(body)?.[1]));
  return {
    objects: [...objects.values()],
    drawings,
    pages: drawings.map((drawing) => textOf(drawing, fonts)),
  };
}

function unpacked(body: string): string {
  const [dictionary = '', ...rest] = body.split('\nstream\n');
  if (rest.length === 0) return body;
  const packed = Buffer.from(rest.join('\nstream\n').replace(/\nendstream$/, ''), 'latin1');
  const data = dictionary.includes('/FlateDecode') ? inflateSync(packed) : packed;
  return `${dictionary}\n${data.toString('latin1')}`;
}

/** The letters of each glyph, from the table that is embedded with the font. */
function lettersOf(map: string): readonly string[] {
  return Array.from(map.matchAll(/\[(.*?)\]/g), ([, list = '']) =>
    Array.from(list.matchAll(/<(.*?)>/g), ([, codes = '']) =>
      Buffer.from(codes.replaceAll(' ', ''), 'hex').swap16().toString('utf16le'),
    ),
  ).flat();
}

function textOf(drawing: string, fonts: ReadonlyMap<string, readonly string[]>): string {
  let letters: readonly string[] = [];
  let text = '';
  for (const [, font, shown] of drawing.matchAll(/\/(F\d+) [\d.]+ Tf|\[(.*?)\] TJ|\bET\b/g)) {
    if (font !== undefined) letters = fonts.get(font) ?? [];
    else if (shown === undefined) text += '\n';
    else
      for (const [, glyphs = ''] of shown.matchAll(/<([0-9a-f]*)>/g))
        text += (glyphs.match(/.{4}/g) ?? []).map((glyph) => letters[parseInt(glyph, 16)] ?? '?').join('');
  }
  return text;
}
