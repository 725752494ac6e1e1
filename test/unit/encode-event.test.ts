import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { LetheError } from '../../src/domain/errors.ts';
import {
  EVENT_TYPES,
  type AdminEvent,
  type AuditEvent,
  type EventData,
  type EventValue,
} from '../../src/domain/events.ts';
import { encodeEvent } from '../../src/evidence/encode-event.ts';

const EVENT: AuditEvent = {
  type: 'task.created',
  actor: { kind: 'lethe' },
  requestId: 'er_1',
  seq: 0,
  at: '2026-03-05T12:00:00.000Z',
};

const textOf = (event: AuditEvent): string => Buffer.from(encodeEvent(event)).toString('utf8');

/** What follows `"data":` in the bytes of an event with this data. */
function dataText(data: EventData): string {
  const text = textOf({ ...EVENT, data });
  return text.slice(text.indexOf('"data":') + '"data":'.length, text.indexOf(',"request_id":'));
}

/** RFC 8785 written down a second time: keys by UTF-16 code units (sort's default), values as JSON.stringify does. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

/** The same value with the members of every object in another order. */
function reversed(value: EventValue): EventValue {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(reversed);
  return reversedData(value);
}

function reversedData(data: EventData): EventData {
  const members = Object.entries(data).reverse();
  return Object.fromEntries(members.map(([key, item]) => [key, reversed(item)]));
}

function isList(value: EventValue): value is readonly EventValue[] {
  return Array.isArray(value);
}

const text = fc.string({ unit: 'binary' }).map((raw) => raw.replaceAll('\0', ''));
const eventData = fc.letrec<{ value: EventValue; data: EventData }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('data'),
  ),
  data: fc.dictionary(text, tie('value'), { maxKeys: 5, noNullPrototype: true }),
})).data;
const anyEvent = fc.record<AuditEvent>(
  {
    type: fc.constantFrom(...EVENT_TYPES),
    actor: fc.oneof(
      fc.constantFrom({ kind: 'lethe' } as const, { kind: 'local' } as const),
      fc.record({ kind: fc.constant('api_key'), id: text }),
    ),
    requestId: text,
    seq: fc.nat(),
    at: fc.constant('2026-03-05T12:00:00.000Z'),
    taskId: text,
    change: fc.record({ from: fc.option(text), to: text }),
    data: eventData,
  },
  { requiredKeys: ['type', 'actor', 'requestId', 'seq', 'at'] },
);

describe('an encoded event', () => {
  it('has a fixed form, with every field present', () => {
    expect(textOf(EVENT)).toBe(
      '{"actor":"lethe","at":"2026-03-05T12:00:00.000Z","change":null,"data":{},"request_id":"er_1","seq":0,' +
        '"task_id":null,"type":"task.created","v":1}',
    );
    const full: AuditEvent = {
      ...EVENT,
      actor: { kind: 'api_key', id: 'ak_1' },
      taskId: 'tk_1',
      change: { to: 'pending', from: null },
      data: { project: 'a', attempts: 2 },
    };
    expect(textOf(full)).toBe(
      '{"actor":"api_key:ak_1","at":"2026-03-05T12:00:00.000Z","change":{"from":null,"to":"pending"},' +
        '"data":{"attempts":2,"project":"a"},"request_id":"er_1","seq":0,"task_id":"tk_1","type":"task.created","v":1}',
    );
  });

  it('sorts keys by their UTF-16 code units, as the example of RFC 8785 3.2.3 does', () => {
    const data = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    // The emoji (d83d de00) stands before fb33, although its code point is greater.
    expect(dataText(data)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
        '"\u20ac":"Euro Sign","\u{1f600}":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  it('sorts at every depth, keeps lists as they are, and tells upper from lower case', () => {
    expect(dataText({ b: [3, 1, { z: 1, a: 2 }], a: { aa: 1, B: 2, '': 3 }, A: [] })).toBe(
      '{"A":[],"a":{"":3,"B":2,"aa":1},"b":[3,1,{"a":2,"z":1}]}',
    );
    expect(dataText({ '10': 0, '9': 0, '1': 0 })).toBe('{"1":0,"10":0,"9":0}');
  });

  it('escapes what must be escaped, in the one way, and nothing else', () => {
    // The string of RFC 8785 3.2.2.
    expect(dataText({ s: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/' })).toBe(
      String.raw`{"s":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
    expect(dataText({ s: '\b\t\n\f\r\u0001\u001f\u007f\u0085\u2028\u2029<>&é' })).toBe(
      `{"s":"\\b\\t\\n\\f\\r\\u0001\\u001f\u007f\u0085\u2028\u2029<>&é"}`,
    );
  });

  it('writes whole numbers plainly, up to the last safe one; minus zero is zero', () => {
    const { MAX_SAFE_INTEGER: max, MIN_SAFE_INTEGER: min } = Number;
    expect(dataText({ n: [0, -0, 1, -1, 1e15, max, min] })).toBe(
      '{"n":[0,0,1,-1,1000000000000000,9007199254740991,-9007199254740991]}',
    );
    expect(dataText({ v: [true, false, null] })).toBe('{"v":[true,false,null]}');
  });

  it('is UTF-8 without a byte-order mark or a line end', () => {
    const bytes = Buffer.from(encodeEvent({ ...EVENT, data: { s: '€🙈' } }));
    expect(bytes.includes(Buffer.from('22e282acf09f998822', 'hex'))).toBe(true);
    expect([bytes.at(0), bytes.at(-1)]).toEqual([0x7b, 0x7d]);
  });

  it('reads back as what it was, is canonical, and is the same however its fields were ordered', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const bytes = encodeEvent(event);
        const shape: unknown = {
          v: 1,
          request_id: event.requestId,
          seq: event.seq,
          at: event.at,
          type: event.type,
          actor: event.actor.kind === 'api_key' ? `api_key:${event.actor.id}` : event.actor.kind,
          task_id: event.taskId ?? null,
          change: event.change ?? null,
          data: event.data ?? {},
        };
        const encoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
        const read: unknown = JSON.parse(encoded);
        expect(read).toEqual(shape);
        // A fixed point: whoever reads the bytes and writes them canonically again gets the same bytes.
        expect(canonical(read)).toBe(encoded);
        const other = event.data === undefined ? event : { ...event, data: reversedData(event.data) };
        expect(encodeEvent(other)).toEqual(bytes);
      }),
    );
  });

  it('has another fixed form when it concerns an API key and no request', () => {
    const event: AdminEvent = {
      type: 'api_key.rotated',
      actor: { kind: 'api_key', id: 'ak_1' },
      keyId: 'ak_2',
      seq: 7,
      at: EVENT.at,
      data: { grace_seconds: 60 },
    };
    expect(Buffer.from(encodeEvent(event)).toString('utf8')).toBe(
      '{"actor":"api_key:ak_1","at":"2026-03-05T12:00:00.000Z","data":{"grace_seconds":60},"key_id":"ak_2",' +
        '"seq":7,"type":"api_key.rotated","v":1}',
    );
    expect(() => encodeEvent({ ...event, data: { grace_seconds: 0.5 } })).toThrow('api_key.rotated');
  });

  it('keeps keys that objects are born with', () => {
    const members: [string, EventValue][] = [
      ['toString', 1],
      ['__proto__', 2],
      ['constructor', { prototype: 'x' }],
    ];
    expect(dataText(Object.fromEntries(members))).toBe(
      '{"__proto__":2,"constructor":{"prototype":"x"},"toString":1}',
    );
  });
});

/** The refusal, after checking that it is the documented one. */
function refusalOf(event: AuditEvent): string {
  try {
    encodeEvent(event);
  } catch (error) {
    expect(error).toBeInstanceOf(LetheError);
    expect(error).toMatchObject({ code: 'EVENT_NOT_CANONICAL' });
    if (error instanceof LetheError && error.cause === undefined) return error.message;
  }
  throw new Error('it was not refused');
}

describe('an event is refused', () => {
  it.each<[string, EventValue]>([
    ['a float', 0.1],
    ['a float that looks whole', 1e21],
    ['an integer past the safe ones', 2 ** 53],
    ['an integer below the safe ones', -(2 ** 53)],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['a lone high surrogate', 'secret\ud800'],
    ['a lone low surrogate', '\udc00secret'],
    ['surrogates the wrong way round', '\udc00\ud800'],
    ['U+0000', 'secret\0'],
    ['nothing but U+0000', '\0'],
  ])('for %s, wherever it stands, naming the place and not the value', (_name, value) => {
    const nested: [EventData, string][] = [
      [{ good: 1, bad: value }, 'task.created.data.bad'],
      [{ list: [1, value] }, 'task.created.data.list.1'],
      [{ a: { b: [{ c: value }] } }, 'task.created.data.a.b.0.c'],
    ];
    for (const [data, path] of nested) {
      expect(refusalOf({ ...EVENT, data })).toBe(
        `An audit event holds a value that has no canonical form, at ${path}.`,
      );
    }
  });

  it.each(['secret\ud800', 'secret\udc00', 'secret\0', '\0'])(
    'for a key that holds what a value must not (%j), naming where it is and not the key',
    (key) => {
      const refusal = refusalOf({ ...EVENT, data: { a: { [key]: 1 } } });
      expect(refusal).toMatch(/ at task\.created\.data\.a\.$/);
    },
  );

  it('in its other fields, too', () => {
    const places: [Partial<AuditEvent>, string][] = [
      [{ requestId: 'secret\0' }, 'request_id'],
      [{ taskId: 'secret\ud800' }, 'task_id'],
      [{ seq: 0.5 }, 'seq'],
      [{ at: 'secret\0' }, 'at'],
      [{ actor: { kind: 'api_key', id: 'secret\0' } }, 'actor'],
      [{ change: { from: 'secret\udfff', to: 'b' } }, 'change.from'],
    ];
    for (const [change, path] of places) {
      const refusal = refusalOf({ ...EVENT, ...change });
      expect(refusal).toContain(` at task.created.${path}.`);
      expect(refusal).not.toContain('secret');
    }
  });

  it('exactly when a string is ill-formed or holds U+0000', () => {
    const units = fc.array(fc.constantFrom(0, 0x61, 0xd800, 0xdc00, 0xe9), { maxLength: 6 });
    fc.assert(
      fc.property(units, (codes) => {
        const value = String.fromCharCode(...codes);
        if (value.isWellFormed() && !value.includes('\0')) {
          expect(JSON.parse(dataText({ value }))).toEqual({ value });
        } else {
          expect(refusalOf({ ...EVENT, data: { value } })).toContain('task.created.data.value');
        }
      }),
    );
  });

  it('exactly when a number is no safe integer', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.maxSafeInteger()), (value) => {
        if (Number.isSafeInteger(value)) expect(dataText({ value })).toBe(`{"value":${value}}`);
        else refusalOf({ ...EVENT, data: { value } });
      }),
    );
  });
});

describe('what only its type makes look like data', () => {
  class Reading {
    readonly count = 1;
  }
  const own = { toJSON: () => 1 };

  it.each([
    ['nothing', undefined],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['an object of a class', new Reading()],
    ['an object with JSON of its own', own],
    ['a function', () => 1],
    ['a big integer', 1n],
    ['a symbol', Symbol('a')],
  ])('is refused: %s', (_name, value) => {
    // As from a caller whose types were got round.
    const event = z.custom<AuditEvent>().parse({ ...EVENT, data: { a: { b: [value] } } });
    expect(() => encodeEvent(event)).toThrow('task.created.data.a.b.0');
  });
});
