const ENTITY = /&(amp|lt|gt|quot|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});/g;
const NAMED = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
]);

/**
 * Undoes HTML escaping, once: `&amp;lt;` becomes `&lt;`. Real OpenReplay servers pass what they say of a user
 * through Go's `html.EscapeString`, which makes `&amp; &lt; &gt; &#34; &#39;`; `&quot;` and every numeric entity of
 * a Unicode character are undone too, anything else is left as it is. The result is hostile text, not markup.
 */
export function unescapeHtml(text: string): string {
  return text.replace(ENTITY, (entity, name: string) => NAMED.get(name) ?? numericCharacter(name) ?? entity);
}

/** The character of `#39` or `#x27`; none for NUL, half a surrogate pair, or a number past Unicode. */
function numericCharacter(name: string): string | undefined {
  const hex = /^#x/i.test(name);
  const codePoint = hex ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
  const isCharacter = codePoint > 0 && codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff);
  return isCharacter ? String.fromCodePoint(codePoint) : undefined;
}
