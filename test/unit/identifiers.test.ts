import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isProjectKey, unroutableReason } from '../../src/domain/identifiers.ts';

describe('identifiers that must never be sent', () => {
  it.each([
    ['', 'empty'],
    ['a/b', 'slash'],
    ['../users/bob', 'slash'],
    ['/', 'slash'],
    ['.', 'dot_segment'],
    ['..', 'dot_segment'],
    ['a\nb', 'control_character'],
    ['a\u0000b', 'control_character'],
    ['a\u007fb', 'control_character'],
    ['a\u0085b', 'control_character'],
    ['a\ud800b', 'lone_surrogate'],
    ['x'.repeat(257), 'too_long'],
    ['é'.repeat(129), 'too_long'],
  ])('%j is unroutable: %s', (id, reason) => {
    expect(unroutableReason(id)).toBe(reason);
  });

  it.each([
    'a@b.example',
    'a+b',
    'a b',
    '%2F',
    '?q',
    '#f',
    ';v',
    '|',
    '\\',
    '...',
    '日本',
    '😀',
    'é'.repeat(128),
    ' ',
  ])('%j is sent as it is', (id) => {
    expect(unroutableReason(id)).toBeUndefined();
  });

  it('never lets through what decodes to a path of more than one segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (id) => {
        if (unroutableReason(id) !== undefined) return;
        const url = new URL(`https://host/users/${encodeURIComponent(id)}`);
        expect(decodeURIComponent(url.pathname)).toBe(`/users/${id}`);
      }),
    );
  });

  it('takes project keys of real servers and nothing with a path in it', () => {
    expect(isProjectKey('0aB9'.repeat(5))).toBe(true);
    for (const key of ['', 'a/b', '..', 'a b', 'x'.repeat(65), 'é']) expect(isProjectKey(key)).toBe(false);
  });
});
