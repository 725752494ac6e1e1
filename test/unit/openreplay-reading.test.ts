import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readJson } from '../../src/openreplay/read-json.ts';
import {
  readEvents,
  readJob,
  readJobs,
  readLiveSessions,
  readProject,
  readProjects,
  readSessions,
  readUser,
  readUsers,
} from '../../src/openreplay/reading.ts';

const job = { jobId: '7', status: 'scheduled', createdAt: 1, startAt: 2, referenceId: 'u', hasErrors: false };

describe('a job', () => {
  it('is read as the contract has it', () => {
    expect(readJob({ data: { jobId: '7', status: 'completed', createdAt: 1 } })).toEqual({
      jobId: '7',
      status: 'completed',
      createdAt: 1,
      startAt: undefined,
      referenceId: undefined,
      hasErrors: false,
    });
  });

  it('is read as real servers send it, without the texts that quote the user id', () => {
    const data = {
      jobId: 7,
      projectId: 1,
      description: 'Delete user sessions of userId = u',
      status: 'scheduled',
      action: 'delete_user_data',
      referenceId: 'u',
      createdAt: 1,
      updatedAt: null,
      startAt: 2,
      errors: null,
    };
    expect(readJob({ data })).toEqual(job);
    const withErrors = readJob({ data: { ...data, errors: 'failed to delete u' } });
    expect(withErrors).toEqual({ ...job, hasErrors: true });
  });

  it('keeps referenceId as it came: jobs are not escaped', () => {
    const read = readJob({ data: { jobId: 1, status: 'failed', referenceId: 'a&amp;b' } });
    expect(read?.referenceId).toBe('a&amp;b');
  });

  it.each([
    ['running', 'running'],
    ['paused', 'unknown'],
    ['Completed', 'unknown'],
    ['constructor', 'unknown'],
  ])('with the status %s is %s', (status, expected) => {
    expect(readJob({ data: { jobId: 1, status } })?.status).toBe(expected);
  });

  it.each([
    ['12', 12],
    [1.9, 1],
    ['soon', undefined],
    [null, undefined],
    [{}, undefined],
    ['1e999', undefined],
    ['9'.repeat(400), undefined],
  ])('with the time %j reads %j', (startAt, expected) => {
    expect(readJob({ data: { jobId: 1, status: 'failed', startAt } })?.startAt).toBe(expected);
  });

  it.each([
    [undefined, false],
    [null, false],
    ['', false],
    [[], false],
    ['boom', true],
    [['boom'], true],
  ])('with errors %j has errors: %j', (errors, expected) => {
    expect(readJob({ data: { jobId: 1, status: 'failed', errors } })?.hasErrors).toBe(expected);
  });

  it.each([
    {},
    { jobId: 1 },
    { status: 'failed' },
    { jobId: '', status: 'failed' },
    { jobId: null, status: 'failed' },
    { jobId: 1.5, status: 'failed' },
    { jobId: 1, status: '' },
    { jobId: 1, status: null },
    { jobId: 1, status: 3 },
    null,
    [],
    'job',
  ])('is unreadable as %j', (data) => {
    expect(readJob({ data })).toBeUndefined();
  });
});

describe('a list of jobs', () => {
  const row = { jobId: 7, status: 'scheduled', createdAt: 1, startAt: '2', referenceId: 'u' };

  it('comes as the contract has it, and as a bare list', () => {
    expect(readJobs({ data: { total: 9, jobs: [row] } })).toEqual({ total: 9, items: [job] });
    expect(readJobs({ data: [row] })).toEqual({ total: undefined, items: [job] });
    expect(readJobs({ data: { total: 0, jobs: null } })).toEqual({ total: 0, items: [] });
    expect(readJobs({ data: [] })).toEqual({ total: undefined, items: [] });
  });

  it('drops jobs that come again, whether their id is a number or text', () => {
    const rows = [row, { ...row, jobId: '7', status: 'failed' }, { ...row, jobId: 8 }, row];
    const read = readJobs({ data: rows });
    expect(read?.items.map(({ jobId, status }) => [jobId, status])).toEqual([
      ['7', 'scheduled'],
      ['8', 'scheduled'],
    ]);
  });

  it('is unreadable as a whole when one job is: a job left out could be the one looked for', () => {
    expect(readJobs({ data: [row, { jobId: 8 }] })).toBeUndefined();
    expect(readJobs({ data: {} })).toBeUndefined();
    expect(readJobs({ data: null })).toBeUndefined();
  });
});

describe('a user', () => {
  it('is read as the contract has it and as real servers send it', () => {
    const user = { userId: "O'Brien & co", email: 'o@x.org', country: 'CÔTE', sessionsCount: undefined };
    expect(
      readUser({
        data: { userId: 'O&#39;Brien &amp; co', email: 'o@x.org', country: 'CÔTE', sessionsCount: 4 },
      }),
    ).toEqual({ ...user, sessionsCount: 4 });
    const real = {
      $user_id: 'O&#39;Brien &amp; co',
      $email: 'o@x.org',
      $country: 'C&#212;TE',
      $name: 'x',
      extra: {},
    };
    expect(readUser({ data: real })).toEqual(user);
  });

  it.each([
    {},
    { email: 'a@b' },
    { userId: '' },
    { userId: null },
    { $user_id: '' },
    { userId: {} },
    null,
    [],
  ])('asked for by id is unreadable as %j', (data) => {
    expect(readUser({ data })).toBeUndefined();
  });

  it('takes the id that is there when the other one is empty', () => {
    expect(readUser({ data: { userId: '', $user_id: 'u' } })?.userId).toBe('u');
    expect(readUser({ data: { userId: null, $user_id: 5 } })?.userId).toBe('5');
  });
});

describe('a list of users', () => {
  it('keeps anonymous visitors in their place, without an id', () => {
    const rows = [{ userId: 'u' }, { $user_id: null }, { userId: '' }];
    const read = readUsers({ data: { total: '3', users: rows } });
    expect(read?.total).toBe(3);
    expect(read?.items.map(({ userId }) => userId)).toEqual(['u', '', '']);
  });

  it('may be null, but not missing or of another shape', () => {
    expect(readUsers({ data: { total: 0, users: null } })).toEqual({ total: 0, items: [] });
    for (const data of [{ total: 0 }, { users: {} }, { users: [{ id: 'u' }] }, { users: ['u'] }, null]) {
      expect(readUsers({ data })).toBeUndefined();
    }
  });
});

describe('sessions', () => {
  const session = { sessionId: '5', userId: undefined, startTs: 1, endTs: 2, eventsCount: 3 };

  it('come with ids as numbers or text, and null for none', () => {
    const rows = [
      { sessionId: 5, startTs: 1, endTs: 2, eventsCount: 3 },
      { sessionId: '5', startTs: '1', endTs: '2', eventsCount: '3' },
    ];
    expect(readSessions({ data: { total: 2, sessions: rows } })).toEqual({
      total: 2,
      items: [session, session],
    });
    expect(readSessions({ data: { total: 0, sessions: null } })).toEqual({ total: 0, items: [] });
  });

  it.each([{}, { total: 0 }, { sessions: 'none' }, { sessions: [{}] }, { sessions: [null] }, [], null])(
    'are unreadable as %j, never none',
    (data) => {
      expect(readSessions({ data })).toBeUndefined();
    },
  );

  it('that are live come in any wrapping', () => {
    const sessions = [{ sessionID: 5, userID: 'u', startTs: 1, endTs: 2, eventsCount: 3 }];
    const items = [{ ...session, userId: 'u' }];
    expect(readLiveSessions({ data: { total: 1, sessions } })).toEqual({ total: 1, items });
    expect(readLiveSessions({ data: { data: { total: 1, sessions } } })).toEqual({ total: 1, items });
    expect(readLiveSessions({ data: { data: sessions } })).toEqual({ total: undefined, items });
    expect(readLiveSessions({ data: sessions })).toEqual({ total: undefined, items });
    expect(readLiveSessions(sessions)).toEqual({ total: undefined, items });
    expect(readLiveSessions([])).toEqual({ total: undefined, items: [] });
  });

  it.each([
    {},
    { data: null },
    { data: { data: null } },
    { data: { data: { errors: ['x'] } } },
    { detail: 'x' },
    null,
  ])('that are live are unreadable as %j, never none', (json) => {
    expect(readLiveSessions(json)).toBeUndefined();
  });
});

describe('events and projects', () => {
  it('are read', () => {
    const events = [{ type: 'CLICK', timestamp: '5', label: 'x' }, {}];
    expect(readEvents({ data: { total: 2, events } })).toEqual({
      total: 2,
      items: [{ type: 'CLICK', timestamp: 5 }, {}],
    });
    const project = { projectKey: 'k', projectId: '3', name: 'Shop', platform: 'web' };
    expect(readProject({ data: { ...project, projectId: 3 } })).toEqual(project);
    expect(readProjects({ data: [{ projectKey: 'k' }] })).toEqual([{ projectKey: 'k' }]);
    expect(readProjects({ data: [] })).toEqual([]);
  });

  it('are unreadable without what they are for', () => {
    expect(readEvents({ data: { total: 0 } })).toBeUndefined();
    expect(readProject({ data: { name: 'Shop' } })).toBeUndefined();
    expect(readProjects({ data: null })).toBeUndefined();
  });
});

describe('the envelope', () => {
  it.each([
    { errors: ['no such user'] },
    { error: 'no such user' },
    { data: { jobId: 1, status: 'scheduled' }, errors: ['half of it failed'] },
    { data: { jobId: 1, status: 'scheduled' }, error: 'half of it failed' },
    { jobId: 1, status: 'scheduled' },
    { data: { data: { jobId: 1, status: 'scheduled' } } },
  ])('makes %j unreadable', (json) => {
    expect(readJob(json)).toBeUndefined();
  });

  it('may name errors that say nothing', () => {
    expect(readJob({ data: { jobId: 1, status: 'failed' }, errors: [], error: null })).toBeDefined();
  });

  it('takes nothing from __proto__', () => {
    expect(readJob(readJson('{"__proto__":{"data":{"jobId":1,"status":"failed"}}}'))).toBeUndefined();
    expect(readJob(readJson('{"data":{"__proto__":{"jobId":1},"status":"failed"}}'))).toBeUndefined();
    expect(Object.hasOwn(Object.prototype, 'jobId')).toBe(false);
  });

  it('can be any JSON without a reader that throws', () => {
    const readers = [
      readJob,
      readJobs,
      readUser,
      readUsers,
      readSessions,
      readLiveSessions,
      readEvents,
      readProjects,
    ];
    const key = fc.constantFrom(
      'data',
      'jobs',
      'sessions',
      'users',
      'errors',
      'jobId',
      'status',
      'userId',
      '__proto__',
    );
    const json = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.array(tie('node')),
        fc.dictionary(key, tie('node')),
      ),
    })).node;
    fc.assert(
      fc.property(json, (value) => {
        for (const read of readers) read(readJson(JSON.stringify(value)));
      }),
    );
  });
});

describe('readJson', () => {
  it('reads JSON as JSON.parse does, but for integers that a number does not hold', () => {
    const tooLong = (value: unknown) => /^-?\d+$/.test(String(value)) && !Number.isSafeInteger(value);
    const keepLong = (_key: string, value: unknown) =>
      typeof value === 'number' && tooLong(value) ? String(value) : value;
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(readJson(text)).toEqual(JSON.parse(text, keepLong));
      }),
    );
  });

  it('keeps every digit of an id past 2^53, and touches no text and no other number', () => {
    const text =
      '{"a":9223372036854775807,"b":[-9007199254740993, 1], "c":"x\\":9223372036854775807,","d":0.12345678901234567890,"e":9007199254740991,"f":9223372036854775807e2}';
    expect(readJson(text)).toEqual({
      a: '9223372036854775807',
      b: ['-9007199254740993', 1],
      c: 'x":9223372036854775807,',
      d: Number('0.12345678901234567890'),
      e: 9007199254740991,
      f: Number('9223372036854775807e2'),
    });
    const read = readSessions(readJson('{"data":{"sessions":[{"sessionId":9223372036854775807}]}}'));
    expect(read?.items[0]?.sessionId).toBe('9223372036854775807');
  });

  it.each(['', '<html>', '{', '{"a":1}x', 'NaN', "{'a':1}", '\u0000'])('reads %j as nothing', (text) => {
    expect(readJson(text)).toBeUndefined();
  });

  it('reads what is nested very deeply, or nothing, without ending', () => {
    const depth = 200_000;
    readJob(readJson('['.repeat(depth) + ']'.repeat(depth)));
    readJob(readJson('{"data":'.repeat(depth) + '1' + '}'.repeat(depth)));
    expect(readJson('['.repeat(depth))).toBeUndefined();
  });
});
