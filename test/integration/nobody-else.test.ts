import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { unroutableReason } from '../../src/domain/identifiers.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

/** What breaks paths, cuts ids or matches others: the worst that a user id can be made of. */
const NASTY = fc.oneof(
  fc.constantFrom(
    '/',
    '%2F',
    '%2f',
    '%',
    '%25',
    '..',
    '.',
    '../',
    '..%2F',
    '\n',
    '\r\n',
    '%0A',
    '%00',
    '\u0000',
  ),
  fc.constantFrom(
    '?',
    '#',
    ';',
    '|',
    '\\',
    '+',
    ' ',
    '&',
    '=',
    ':',
    '@',
    '*',
    '_',
    "'",
    '"',
    '<',
    '>',
    '\u202e',
  ),
  fc.constantFrom(
    'users',
    'jobs',
    'bob',
    'user-1',
    PROJECT,
    '\ud800',
    '\udfff',
    '\u0085',
    '\ufeff',
    'é',
    '🐉',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const nastyId = fc.array(NASTY, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));
const SEED = 20_261_124;

/**
 * What the worst of proxies before OpenReplay makes of a request's target: it decodes what is encoded, takes `%2F` for
 * a separator, resolves `.` and `..`, and cuts the path at the first newline or NUL.
 */
function mangled(url: string): string {
  const [path = '', query] = url.split('?', 2);
  let decoded = path;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    // Left as it came.
  }
  const cut = decoded.replaceAll('\r', '\n').replaceAll('\0', '\n').split('\n', 1)[0] ?? '';
  const resolved: string[] = [];
  for (const segment of cut.split('/')) {
    if (segment === '..') resolved.pop();
    else if (segment !== '.') resolved.push(segment);
  }
  return (
    resolved.map((segment) => encodeURIComponent(segment)).join('/') +
    (query === undefined ? '' : `?${query}`)
  );
}

/** `npm run test:long` has all of them; `npm test` has as many as take some seconds. */
const IS_SOAK = process.env['LETHE_SOAK'] === '1';
const PLAIN = IS_SOAK ? 700 : 100;
const NASTY_ONES = IS_SOAK ? 300 : 60;

describe(`${PLAIN + NASTY_ONES} erasures through a server that decodes, resolves and cuts`, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage({
      backend: queueBackends().at(-1) ?? { name: 'postgres', redisUrl: undefined },
      sandbox: { jobDelayMs: 20, analyticsLagMs: 1, rewriteTarget: mangled },
      projects: [PROJECT],
    });
  });
  afterAll(async () => {
    await stage.close();
  });

  it('would reach somebody else if such ids were sent', () => {
    // The server is as bad as it is meant to be; otherwise what follows would show nothing.
    expect(mangled(`/v2/public/${PROJECT}/users/${encodeURIComponent('../users/bob')}`)).toBe(
      `/v2/public/${PROJECT}/users/bob`,
    );
    expect(mangled(`/v2/public/${PROJECT}/users/${encodeURIComponent('bob\nby')}`)).toBe(
      `/v2/public/${PROJECT}/users/bob`,
    );
  });

  it('deletes exactly those asked for, and nobody else', async () => {
    const plain = Array.from({ length: PLAIN }, (_, index) => `user-${index}`);
    const drawn = new Set(fc.sample(nastyId, { numRuns: 900, seed: SEED }));
    const nasty = [...drawn].filter((id) => !plain.includes(id)).slice(0, NASTY_ONES);
    expect(nasty).toHaveLength(NASTY_ONES);
    const asked = [...plain, ...nasty];
    const routable = asked.filter((id) => unroutableReason(id) === undefined);
    expect(routable.length).toBeLessThan(asked.length);
    expect(routable.length).toBeGreaterThan(PLAIN);
    const bystanders = ['bob', 'users', 'jobs', 'user', 'User-1', 'user-01', 'user-1 ', 'a', 'x', 'y'].filter(
      (id) => !asked.includes(id),
    );
    for (const userId of [...routable, ...bystanders]) {
      stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 1 });
    }
    const ids: string[] = [];
    for (let from = 0; from < asked.length; from += 20) {
      const batch = asked.slice(from, from + 20).map((userId) => stage.submit(userId));
      ids.push(...(await Promise.all(batch)).map((view) => view.id));
    }
    const settled = await stage.allSettled(150_000);
    const views = ids.map((id) => settled.get(id));

    const completed = asked.filter((_, index) => views[index]?.state === 'completed');
    expect(new Set(completed)).toEqual(new Set(routable));
    expect(views.filter((view) => view?.attention === 'unroutable')).toHaveLength(
      asked.length - routable.length,
    );
    const deleted = new Set(stage.sandbox.deletionsAsked.map((deletion) => deletion.userId));
    expect(deleted).toEqual(new Set(routable));
    expect(stage.sandbox.deletionsAsked.every((deletion) => deletion.projectKey === PROJECT)).toBe(true);
    expect(new Set(stage.sandbox.userIds(PROJECT))).toEqual(new Set(bystanders));
  }, 180_000);
});
