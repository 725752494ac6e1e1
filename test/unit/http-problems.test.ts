import { describe, expect, it } from '@jest/globals';
import { RequestClosedError } from '../../src/app/cancel-request.ts';
import { SubmissionInvalidError } from '../../src/app/check-submission.ts';
import { IdempotencyKeyReusedError } from '../../src/app/submit-request.ts';
import { LetheError } from '../../src/domain/errors.ts';
import { problemOf } from '../../src/http/problem-of.ts';
import { problemDetails } from '../../src/http/problem-details.ts';
import { HttpProblem, PROBLEMS } from '../../src/http/problem.ts';
import { isReady } from '../../src/http/readiness.ts';
import { loggable } from '../../src/http/request-log.ts';

const SECRET = 'bob@example.com';

describe('problem details', () => {
  it('hold the code, its type and the request', () => {
    expect(problemDetails(new HttpProblem('REQUEST_NOT_FOUND', 'No such request.'), 'abc')).toEqual({
      type: '/problems/request-not-found',
      title: 'There is no such erasure request',
      status: 404,
      detail: 'No such request.',
      instance: 'urn:lethe:request:abc',
      code: 'REQUEST_NOT_FOUND',
    });
  });

  it('name the fields where there are any', () => {
    const errors = [{ pointer: '/note', detail: 'expected a text' }];
    expect(problemDetails(new HttpProblem('SUBMISSION_INVALID', 'x', { errors }), 'abc').errors).toEqual(
      errors,
    );
  });
});

describe('what was thrown becomes a problem', () => {
  it.each([
    [
      new SubmissionInvalidError([{ pointer: '/subject/email', expected: 'nothing yet' }]),
      'SUBMISSION_INVALID',
    ],
    [new IdempotencyKeyReusedError(), 'IDEMPOTENCY_KEY_REUSED'],
    [new RequestClosedError('completed'), 'REQUEST_CLOSED'],
    [new LetheError('STORE_UNAVAILABLE', SECRET), 'STORE_UNAVAILABLE'],
    [new LetheError('VAULT_UNREADABLE', SECRET), 'INTERNAL'],
    [Object.assign(new Error(SECRET), { type: 'entity.too.large' }), 'BODY_TOO_LARGE'],
    [Object.assign(new Error(SECRET), { type: 'entity.parse.failed', body: SECRET }), 'BODY_MALFORMED'],
    [Object.assign(new Error(SECRET), { type: 'entity.verify.failed' }), 'BODY_MALFORMED'],
    [Object.assign(new Error(SECRET), { type: 'encoding.unsupported' }), 'MEDIA_TYPE_UNSUPPORTED'],
    [new URIError(SECRET), 'ROUTE_NOT_FOUND'],
    [Object.assign(new Error(SECRET), { type: 'constructor', status: 418 }), 'INTERNAL'],
    [new TypeError(SECRET), 'INTERNAL'],
    [{ type: 7, name: {} }, 'INTERNAL'],
    [SECRET, 'INTERNAL'],
    [undefined, 'INTERNAL'],
    [null, 'INTERNAL'],
  ])('%p', (thrown, code) => {
    const problem = problemOf(thrown);
    expect(problem.code).toBe(code);
    expect(JSON.stringify(problemDetails(problem, 'id'))).not.toContain('bob');
  });

  it('names the fields that the use case refuses', () => {
    const thrown = new SubmissionInvalidError([{ pointer: '/receivedAt', expected: 'a time in the past' }]);
    expect(problemOf(thrown).errors).toEqual([
      { pointer: '/receivedAt', detail: 'expected a time in the past' },
    ]);
  });

  it('says when to come again while the database is away', () => {
    expect(problemOf(new LetheError('STORE_UNAVAILABLE', 'x')).headers).toEqual({ 'Retry-After': '5' });
  });

  it('has a status that fits its title', () => {
    for (const { status, title } of Object.values(PROBLEMS)) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(title).not.toBe('');
    }
  });
});

describe('an error in the log', () => {
  it('shows type, code, places and causes, but no text that may quote a value', () => {
    const cause = Object.assign(new Error(`Key (id)=(${SECRET})\n    at ${SECRET} is there`), {
      code: '23505',
    });
    const error = Object.assign(new TypeError(`wrong: ${SECRET}`, { cause }), { detail: SECRET });
    const line = loggable(error);
    expect(JSON.stringify(line)).not.toContain('bob');
    expect(line).toMatchObject({ type: 'TypeError', cause: { type: 'Error', code: '23505' } });
    expect(JSON.stringify(line)).toContain('http-problems.test');
  });

  it('shows the text of our own errors', () => {
    expect(loggable(new LetheError('VAULT_UNREADABLE', 'cannot be opened'))).toMatchObject({
      code: 'VAULT_UNREADABLE',
      message: 'cannot be opened',
    });
  });

  it('takes whatever was thrown, and chains without an end', () => {
    const endless = new Error('x');
    endless.cause = endless;
    expect(JSON.stringify(loggable(endless)).match(/"type"/g)).toHaveLength(4);
    expect(loggable(SECRET)).toEqual({ type: 'string' });
  });
});

describe('ready', () => {
  const part = (name: string, ok: boolean) => ({ name, ok, detail: '', at: null });

  it.each([
    [[part('database', true), part('queue', true)], true],
    [[part('database', true), part('queue', true), part('connection a', false)], true],
    [[part('database', false), part('queue', true)], false],
    [[part('database', true), part('queue', false)], false],
    [[part('database', true)], false],
    [[], false],
  ])('%j: %s', (parts, ready) => {
    expect(isReady({ parts })).toBe(ready);
  });
});
