import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isJsonPointer, valueAtPointer } from '../../src/domain/json-pointer.ts';

/** RFC 6901, section 5, as it stands there. */
const DOCUMENT: unknown = JSON.parse(
  String.raw`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`,
);

describe('a JSON Pointer', () => {
  it.each([
    ['', DOCUMENT],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    [String.raw`/i\j`, 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('%j of RFC 6901 finds what stands there', (pointer, value) => {
    expect(isJsonPointer(pointer)).toBe(true);
    expect(valueAtPointer(DOCUMENT, pointer)).toEqual(value);
  });

  it.each(['/foo/2', '/foo/-', '/foo/00', '/foo/+1', '/foo/01', '/foo/length', '/bar', '/a/b', '/foo/0/0'])(
    '%j finds nothing',
    (pointer) => {
      expect(valueAtPointer(DOCUMENT, pointer)).toBeUndefined();
    },
  );

  it.each(['/constructor', '/__proto__', '/foo/constructor', '/toString/name'])(
    '%j finds only what the value has itself',
    (pointer) => {
      expect(valueAtPointer(DOCUMENT, pointer)).toBeUndefined();
    },
  );

  it('finds a field called __proto__ where JSON has one', () => {
    expect(valueAtPointer(JSON.parse('{"__proto__": {"a": 1}}'), '/__proto__/a')).toBe(1);
  });

  it('turns ~01 into ~1 and not into a slash', () => {
    expect(valueAtPointer({ '~1': 'tilde', '/': 'slash' }, '/~01')).toBe('tilde');
  });

  it.each(['foo', 'a/b', '/~', '/~2', '/a~', '#/foo', ' /foo'])('is not %j', (text) => {
    expect(isJsonPointer(text)).toBe(false);
  });

  it('finds any path of any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.string(), { maxLength: 4 }), (leaf, path) => {
        const value = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), leaf);
        const pointer = path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
        expect(isJsonPointer(pointer)).toBe(true);
        expect(valueAtPointer(value, pointer)).toEqual(leaf);
      }),
    );
  });
});
