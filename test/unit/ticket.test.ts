import { describe, expect, it } from '@jest/globals';
import { isRequest, mapTicket, referenceOf, type TicketRules } from '../../src/domain/ticket.ts';

const RULES: TicketRules = {
  condition: [{ pointers: ['/labels'], is: ['gdpr', 'erasure'] }],
  ticket: ['/key'],
  userId: ['/user', '/fields/user'],
  email: ['/email'],
  requester: ['/from'],
  receivedAt: ['/created'],
  projectKeys: ['/projects'],
  type: 'erasure',
};
const TICKET = { key: 'T-1', labels: ['gdpr'], user: 'u-1' };

const mapped = (body: unknown, rules: Partial<TicketRules> = {}) => {
  const mapping = mapTicket({ ...RULES, ...rules }, body);
  return mapping.kind === 'mapped' ? mapping.ticket : mapping.problems.map(({ field }) => field);
};

describe('a condition', () => {
  const holds = (body: unknown, condition: TicketRules['condition']) => isRequest({ condition }, body);

  it.each([
    ['a text', { pointers: ['/type'], is: ['Erasure'] }, { type: 'Erasure' }, true],
    ['a text in another case', { pointers: ['/type'], is: ['Erasure'] }, { type: 'erasure' }, false],
    ['part of a text', { pointers: ['/type'], is: ['Erasure'] }, { type: 'Erasure request' }, false],
    [
      'a number as a text',
      { pointers: ['/form_id'], is: ['360001234567'] },
      { form_id: 360_001_234_567 },
      true,
    ],
    ['a switch', { pointers: ['/is_erasure'], is: ['true'] }, { is_erasure: true }, true],
    ['one of a list', { pointers: ['/tags'], is: ['a', 'gdpr'] }, { tags: ['vip', 'gdpr'] }, true],
    ['none of a list', { pointers: ['/tags'], is: ['gdpr'] }, { tags: ['vip', 'gdpr_access'] }, false],
    ['an empty list', { pointers: ['/tags'], is: ['gdpr'] }, { tags: [] }, false],
    [
      'one of a list of objects',
      { pointers: ['/l'], each: '/name', is: ['x'] },
      { l: [{ name: 'x' }] },
      true,
    ],
    [
      'another of a list of objects',
      { pointers: ['/l'], each: '/name', is: ['x'] },
      { l: [{ id: 'x' }] },
      false,
    ],
    ['nothing', { pointers: ['/tags'], is: ['gdpr'] }, {}, false],
    ['null, and not the text', { pointers: ['/tags'], is: ['null'] }, { tags: null }, false],
    ['an object', { pointers: ['/tags'], is: ['[object Object]'] }, { tags: {} }, false],
    ['a body that is no object', { pointers: ['/tags'], is: ['gdpr'] }, 'gdpr', false],
  ])('on %s', (...[, condition, body, expected]) => {
    expect(holds(body, [condition])).toBe(expected);
  });

  it('has to hold with all others', () => {
    const both = [
      { pointers: ['/event'], is: ['created'] },
      { pointers: ['/type'], is: ['Erasure'] },
    ];
    expect(holds({ event: 'created', type: 'Erasure' }, both)).toBe(true);
    expect(holds({ event: 'created', type: 'Bug' }, both)).toBe(false);
    expect(holds({ event: 'deleted', type: 'Erasure' }, both)).toBe(false);
  });

  it('may be that every ticket is one', () => {
    expect(holds(null, 'always')).toBe(true);
  });
});

describe('a ticket', () => {
  it('is read as the rules say', () => {
    const body = {
      ...TICKET,
      email: 'jane@example.org',
      from: 'Jane',
      created: '2026-03-01T09:30:00.123+0100',
      projects: 'projectA, projectB;projectC',
    };
    expect(mapped(body)).toEqual({
      reference: 'T-1',
      subject: { userId: 'u-1', email: 'jane@example.org' },
      requester: 'Jane',
      receivedAt: new Date('2026-03-01T08:30:00.123Z'),
      projectKeys: ['projectA', 'projectB', 'projectC'],
      type: 'erasure',
    });
  });

  it.each([
    ['the first pointer', { user: 'first', fields: { user: 'second' } }, 'first'],
    ['the next where there is nothing', { user: undefined, fields: { user: 'second' } }, 'second'],
    ['the next where there is null', { user: null, fields: { user: 'second' } }, 'second'],
    ['the next where the text is empty', { user: '', fields: { user: 'second' } }, 'second'],
    ['a number', { user: 360_001_234_567 }, '360001234567'],
    ['a text with spaces, exactly as it is', { user: ' u 1 ' }, ' u 1 '],
  ])('is about who stands at %s', (_name, changes, userId) => {
    expect(mapped({ ...TICKET, ...changes })).toMatchObject({ subject: { userId } });
  });

  it.each([
    ['no user at all', { user: undefined }, ['userId']],
    ['a user that is an object', { user: { id: 1 } }, ['userId']],
    ['a number that is not exact', { user: 2 ** 60 }, ['userId']],
    ['a number with a fraction', { user: 1.5 }, ['userId']],
    ['a user id that is endless', { user: 'x'.repeat(5_000) }, ['userId']],
    ['an e-mail address that is none', { email: 'jane' }, ['email']],
    ['no reference', { key: undefined }, ['ticket']],
    ['a reference that is an e-mail address', { key: 'jane@example.org' }, ['ticket']],
    ['a reference that is the user id', { key: 'u-1' }, ['ticket']],
    ['a reference with a line break', { key: 'T\n1' }, ['ticket']],
    ['a reference that is endless', { key: 'T'.repeat(201) }, ['ticket']],
    ['a time that is none', { created: 'yesterday' }, ['receivedAt']],
    ['a day that there is not', { created: '2026-02-30T25:00:00Z' }, ['receivedAt']],
    ['project keys that are objects', { projects: [{}] }, ['projectKeys']],
    ['an empty list of projects', { projects: [] }, ['projectKeys']],
    ['everything wrong at once', { key: {}, user: {}, created: 1 }, ['ticket', 'userId', 'receivedAt']],
  ])('with %s cannot be mapped', (_name, changes, fields) => {
    expect(mapped({ ...TICKET, ...changes })).toEqual(fields);
  });

  it('says in a problem where it was looked, and nothing of what was found', () => {
    const mapping = mapTicket(RULES, { ...TICKET, user: { name: 'jane.roe' } });
    expect(mapping).toEqual({
      kind: 'unmappable',
      problems: [
        { field: 'userId', pointers: ['/user', '/fields/user'], expected: expect.stringContaining('a text') },
      ],
    });
    expect(JSON.stringify(mapping)).not.toContain('jane');
  });

  it('may say what is asked for, in words that the rules know', () => {
    const type = {
      pointers: ['/wish'],
      words: { 'Delete my data': 'erasure', 'A copy': 'access' },
    } as const;
    expect(mapped({ ...TICKET, wish: 'A copy' }, { type })).toMatchObject({ type: 'access' });
    expect(mapped({ ...TICKET, wish: 'toString' }, { type })).toEqual(['type']);
    expect(mapped(TICKET, { type })).toEqual(['type']);
  });

  it('may have its projects from the configuration', () => {
    const projectKeys = { fixed: ['projectZ'] };
    expect(mapped({ ...TICKET, projects: {} }, { projectKeys })).toMatchObject({ projectKeys: ['projectZ'] });
  });

  it('is known by its reference, whatever else of it cannot be read', () => {
    expect(referenceOf(RULES, { key: 'T-1' })).toBe('T-1');
    expect(referenceOf(RULES, { key: 'a@b' })).toBeUndefined();
    expect(referenceOf(RULES, [])).toBeUndefined();
  });
});
