import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { unescapeHtml } from '../../src/openreplay/unescape-html.ts';

/** As `html.EscapeString` of Go does it. */
function escapeAsGo(text: string): string {
  const entities = new Map([
    ['<', '&lt;'],
    ['>', '&gt;'],
    ['&', '&amp;'],
    ["'", '&#39;'],
    ['"', '&#34;'],
  ]);
  return text.replace(/[<>&'"]/g, (character) => entities.get(character) ?? character);
}

describe('unescapeHtml', () => {
  it('gives back any text that Go escaped', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom('&', '<', '>', '"', "'", ';', '#', 'x', '3', '9', 'a', 'm', 'p', 'l', 't'),
      }),
    );
    fc.assert(
      fc.property(text, (original) => {
        expect(unescapeHtml(escapeAsGo(original))).toBe(original);
      }),
    );
  });

  it.each([
    ['O&#39;Brien &amp; sons', "O'Brien & sons"],
    ['&lt;b&gt;&quot;&#34;', '<b>""'],
    ['&#x27;&#X2F;&#128105;&#x1F469;', "'/👩👩"],
  ])('undoes %s', (escaped, text) => {
    expect(unescapeHtml(escaped)).toBe(text);
  });

  it.each([
    ['&amp;lt;', '&lt;'],
    ['&amp;#39;', '&#39;'],
    ['&#38;amp;', '&amp;'],
    ['&amp;amp;amp;', '&amp;amp;'],
  ])('undoes %s once only', (escaped, text) => {
    expect(unescapeHtml(escaped)).toBe(text);
  });

  it.each([
    '&',
    '&amp',
    '&AMP;',
    '&nbsp;',
    '&#;',
    '&#x;',
    '&#0;',
    '&#xD800;',
    '&#1114112;',
    '&#99999999;',
    '& lt;',
  ])('leaves %s as it is', (text) => {
    expect(unescapeHtml(text)).toBe(text);
  });
});
