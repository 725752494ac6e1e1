import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseBody, parseQuery } from '../../src/http/field-errors.ts';
import { idempotencyKeyOf } from '../../src/http/idempotency-key.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { eventsQuerySchema, listQuerySchema } from '../../src/http/query-schemas.ts';
import { emptyCommandSchema, submissionSchema } from '../../src/http/submission-schema.ts';

function problemIn(work: () => unknown): HttpProblem {
  try {
    work();
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const submit = (body: unknown) => parseBody(submissionSchema, body, 'SUBMISSION_INVALID');
const problemOf = (body: unknown) => problemIn(() => submit(body));
const pointersOf = (body: unknown) =>
  problemOf(body).errors.map((error) => ('pointer' in error ? error.pointer : error.parameter));
const USER = { subject: { userId: 'u' } };

describe('a submission', () => {
  it('is taken with every field', () => {
    const body = {
      subject: { userId: 'u' },
      projectKeys: ['p'],
      connection: 'default',
      regulation: 'ccpa',
      receivedAt: '2026-03-01T09:30:00+01:00',
      reference: 'TICKET-1',
      note: 'two\nlines',
    };
    expect(submit(body)).toEqual({ ...body, receivedAt: new Date('2026-03-01T08:30:00Z') });
  });

  it('keeps any user id exactly as it is', () => {
    for (const userId of ['', ' u ', '\u0000', '\ud800', 'a/b', '..', '😀', 'İ', 'e\u0301', '__proto__']) {
      expect(submit({ subject: { userId } })).toEqual({ subject: { userId } });
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (userId) => {
        expect(submit({ subject: { userId } }).subject.userId).toBe(userId);
      }),
    );
  });

  it('names all mistakes at once, each with what was expected', () => {
    const body = {
      subject: { userId: 7, name: 'x' },
      projectKeys: [],
      regulation: 'GDPR',
      receivedAt: 'yesterday',
      reference: '',
      note: null,
      user_id: 'x',
      constructor: 1,
    };
    const problem = problemOf(body);
    expect(problem.problem).toBe('SUBMISSION_INVALID');
    expect(problem.errors.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))).toEqual([
      { pointer: '/constructor', detail: 'this field is not known; expected no such field' },
      { pointer: '/note', detail: 'expected a text of at most 4000 characters' },
      { pointer: '/projectKeys', detail: 'expected a list of 1 to 200 project keys' },
      {
        pointer: '/receivedAt',
        detail:
          'expected an RFC 3339 date and time since 1970, with seconds and Z or an offset, such as 2026-03-01T09:30:00Z',
      },
      {
        pointer: '/reference',
        detail: 'expected a text of 1 to 200 characters without control characters',
      },
      { pointer: '/regulation', detail: 'expected one of gdpr, uk_gdpr, ccpa' },
      { pointer: '/subject/name', detail: 'this field is not known; expected no such field' },
      { pointer: '/subject/userId', detail: 'expected a text of at most 4096 characters' },
      { pointer: '/user_id', detail: 'this field is not known; expected no such field' },
    ]);
  });

  it('refuses __proto__ by name and lets nothing of it through', () => {
    const own: unknown = JSON.parse(
      '{"subject":{"userId":"u","__proto__":{"email":"e"}},"__proto__":{"note":"n"}}',
    );
    expect(pointersOf(own).toSorted()).toEqual(['/__proto__', '/subject/__proto__']);
    expect(Object.hasOwn(Object.prototype, 'note')).toBe(false);
    expect(Object.hasOwn(Object.prototype, 'email')).toBe(false);
  });

  it('never repeats a value, nor a name that may be one', () => {
    const secret = 'bob@example.com';
    const body = {
      subject: { userId: [secret], [secret]: 1 },
      [secret]: 1,
      receivedAt: secret,
      reference: 5,
    };
    const problem = problemOf(body);
    expect(JSON.stringify([problem.message, problem.errors])).not.toContain('bob');
    expect(pointersOf(body)).toContain('/subject');
    expect(pointersOf(body)).toContain('');
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['a text', 'text'],
  ])('must be an object: %s', (_name, body) => {
    expect(pointersOf(body)).toEqual(['']);
  });

  it('needs a subject that is an object', () => {
    expect(pointersOf({})).toEqual(['/subject']);
    expect(pointersOf({ subject: 'u' })).toEqual(['/subject']);
    expect(pointersOf({ subject: null })).toEqual(['/subject']);
  });

  it('counts characters, not code units', () => {
    expect(submit({ subject: { userId: '😀'.repeat(4096) } })).toBeDefined();
    expect(pointersOf({ subject: { userId: 'x'.repeat(4097) } })).toEqual(['/subject/userId']);
    expect(submit({ ...USER, reference: '😀'.repeat(200) })).toBeDefined();
    expect(pointersOf({ ...USER, reference: 'x'.repeat(201) })).toEqual(['/reference']);
    expect(submit({ ...USER, note: 'x'.repeat(4000) })).toBeDefined();
    expect(pointersOf({ ...USER, note: 'x'.repeat(4001) })).toEqual(['/note']);
  });

  it.each(['\u0000', 'a\nb', '\u007f', '\u0085', '\ud800'])('refuses the reference %j', (reference) => {
    expect(pointersOf({ ...USER, reference })).toEqual(['/reference']);
  });

  it.each([
    '2026-03-01',
    '2026-03-01T09:30:00',
    '2026-03-01T09:30Z',
    '2026-02-30T09:30:00Z',
    '2026-03-01T25:30:00Z',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:30:00+01:00',
    '',
    0,
  ])('refuses the date of receipt %j', (receivedAt) => {
    expect(pointersOf({ ...USER, receivedAt })).toEqual(['/receivedAt']);
  });

  it.each(['2026-03-01T09:30:00Z', '2026-03-01T09:30:00.123456Z', '2026-03-01T09:30:00-11:30'])(
    'takes the date of receipt %s',
    (receivedAt) => {
      expect(submit({ ...USER, receivedAt }).receivedAt?.getTime()).toBe(Date.parse(receivedAt));
    },
  );

  it('takes 1 to 200 project keys', () => {
    const keys = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`);
    expect(submit({ ...USER, projectKeys: keys(200) }).projectKeys).toHaveLength(200);
    expect(pointersOf({ ...USER, projectKeys: keys(201) })).toEqual(['/projectKeys']);
    expect(pointersOf({ ...USER, projectKeys: ['a', 1, null] })).toEqual([
      '/projectKeys/1',
      '/projectKeys/2',
    ]);
  });

  it('names at most a hundred mistakes, and says how many there are', () => {
    const body = { ...USER, ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, 1])) };
    const problem = problemOf(body);
    expect(problem.errors).toHaveLength(100);
    expect(problem.message).toBe('500 fields cannot be accepted; errors names the first 100.');
  });
});

describe('a command without fields', () => {
  it('refuses any', () => {
    expect(parseBody(emptyCommandSchema, {}, 'COMMAND_INVALID')).toEqual({});
    const problem = problemIn(() => parseBody(emptyCommandSchema, { reason: 'x' }, 'COMMAND_INVALID'));
    expect(problem.errors).toEqual([
      { pointer: '/reason', detail: 'this field is not known; expected no such field' },
    ]);
  });
});

describe('queries', () => {
  const cursor = `er_${'0'.repeat(32)}`;

  it('have defaults', () => {
    expect(parseQuery(listQuerySchema, {})).toEqual({ limit: 50 });
    expect(parseQuery(eventsQuerySchema, {})).toEqual({ limit: 50, after: -1 });
  });

  it('are taken whole', () => {
    const query = { state: 'erasing', reference: 'R', cursor, limit: '200' };
    expect(parseQuery(listQuerySchema, query)).toEqual({ ...query, limit: 200 });
    expect(parseQuery(eventsQuerySchema, { after: '2147483647', limit: '1' })).toEqual({
      after: 2147483647,
      limit: 1,
    });
  });

  it.each([
    ['limit', '0'],
    ['limit', '201'],
    ['limit', '-1'],
    ['limit', '1.0'],
    ['limit', '1e2'],
    ['limit', ' 5'],
    ['limit', '0x10'],
    ['limit', ''],
    ['limit', ['1', '2']],
    ['state', 'done'],
    ['state', ''],
    ['state', ['erasing', 'erasing']],
    ['reference', 'a\u0000'],
    ['reference', ''],
    ['cursor', 'er_1'],
    ['cursor', [cursor, cursor]],
    ['stat', 'erasing'],
    ['__proto__', 'x'],
  ])('refuse %s=%j by name', (name, value) => {
    const query: unknown = Object.fromEntries([[name, value]]);
    const problem = problemIn(() => parseQuery(listQuerySchema, query));
    expect(problem.problem).toBe('QUERY_INVALID');
    expect(problem.errors).toEqual([{ parameter: name, detail: expect.any(String) }]);
  });

  it.each(['-2', '2147483648', 'x', '-0'])('refuse after=%s', (after) => {
    expect(problemIn(() => parseQuery(eventsQuerySchema, { after })).errors).toEqual([
      { parameter: 'after', detail: 'expected nextAfter of the page before, or -1' },
    ]);
  });
});

describe('the Idempotency-Key', () => {
  const withKeys = (...keys: string[]) => {
    const req = new IncomingMessage(new Socket());
    if (keys.length > 0) req.headersDistinct['idempotency-key'] = keys;
    return req;
  };

  it('may be left out', () => {
    expect(idempotencyKeyOf(withKeys())).toBeUndefined();
  });

  it.each(['a', '~'.repeat(255), 'with space', '"quoted"', 'a, b'])('is taken: %j', (key) => {
    expect(idempotencyKeyOf(withKeys(key))).toBe(key);
  });

  it.each([[['']], [['~'.repeat(256)]], [['\u00e9']], [['a\u0001']], [['a', 'a']], [['a', 'b']]])(
    'is refused: %j',
    (keys) => {
      expect(problemIn(() => idempotencyKeyOf(withKeys(...keys))).problem).toBe('IDEMPOTENCY_KEY_INVALID');
    },
  );
});
