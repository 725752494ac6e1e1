import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { ConfigError, loadConfig, type Config } from '../../src/config.ts';
import { SOURCE_KINDS } from '../../src/domain/ticket.ts';
import { openIntake } from '../../src/open-intake.ts';

const GOOD = {
  name: 'support',
  kind: 'zendesk',
  secrets: ['a secret of sixteen and more'],
  condition: [{ pointer: '/detail/tags', is: 'gdpr_erasure' }],
  map: { ticket: '/detail/id', userId: ['/detail/external_id'] },
};

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lethe-intake-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const CONNECTION = { name: 'default', url: 'https://or.example/v2', apiKey: 'k-1' };

function load(sources: unknown, more: object = {}, env: NodeJS.ProcessEnv = {}): Config {
  const file = join(folder, 'lethe.yaml');
  writeFileSync(file, stringify({ connections: [CONNECTION], intake: { sources }, ...more }));
  return loadConfig({ ...env, LETHE_CONFIG: file }, { cwd: folder });
}

/** `path: expected` of each mistake. */
function mistakesOf(sources: unknown, more: object = {}, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    load(sources, more, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, expected }) => `${path}: ${expected}`);
  }
}

const one = (changes: object) => mistakesOf([{ ...GOOD, ...changes }]);

it('a source is read with its defaults', () => {
  expect(load([GOOD]).intake.sources).toEqual([
    {
      name: 'support',
      kind: 'zendesk',
      secrets: GOOD.secrets,
      header: undefined,
      connection: undefined,
      regulation: 'gdpr',
      rateLimit: { requests: 1_200, perSeconds: 60 },
      rules: {
        condition: [{ pointers: ['/detail/tags'], is: ['gdpr_erasure'] }],
        ticket: ['/detail/id'],
        userId: ['/detail/external_id'],
        email: [],
        requester: [],
        receivedAt: [],
        projectKeys: [],
        type: 'erasure',
      },
    },
  ]);
});

it('what is fixed for all tickets of a source is read, and so is what each ticket says', () => {
  const fixed = { regulation: 'ccpa', type: 'access', projectKeys: ['projectA'], connection: 'default' };
  expect(load([{ ...GOOD, ...fixed }]).intake.sources[0]).toMatchObject({
    regulation: 'ccpa',
    connection: 'default',
    rules: { type: 'access', projectKeys: { fixed: ['projectA'] } },
  });
  const words = { 'Delete my data': 'erasure', 'A copy': 'access' };
  const map = { ...GOOD.map, type: { at: '/wish', words } };
  expect(load([{ ...GOOD, map }]).intake.sources[0]?.rules.type).toEqual({ pointers: ['/wish'], words });
});

it('values of a condition may be numbers and switches', () => {
  const condition = [{ pointer: '/form_id', is: [360_001_234_567, true, 'x'] }];
  expect(load([{ ...GOOD, condition }]).intake.sources[0]?.rules.condition).toEqual([
    { pointers: ['/form_id'], is: ['360001234567', 'true', 'x'] },
  ]);
});

describe('a secret', () => {
  const WHSEC = `whsec_${Buffer.alloc(32).toString('base64')}`;
  const secretOf = (kind: string) => (kind === 'standard-webhooks' ? WHSEC : 'a secret of sixteen and more');
  const withSecrets = (kind: string, secrets: unknown) =>
    one({ kind, secrets, ...(/automation|shared/.test(kind) && { header: 'X-Lethe-Secret' }) });

  it.each(SOURCE_KINDS)('of %s is taken, and so are two', (kind) => {
    const secret = secretOf(kind);
    const other =
      kind === 'standard-webhooks' ? `whsec_${Buffer.alloc(24, 1).toString('base64')}` : `${secret}!`;
    expect(withSecrets(kind, [secret])).toEqual([]);
    expect(withSecrets(kind, [secret, other])).toEqual([]);
  });

  it.each(SOURCE_KINDS)('of %s that is missing, empty, short or there thrice ends the start', (kind) => {
    const rule = /^intake\.sources\[0\]\.secrets\[0\]: a secret of/;
    const count = 'intake.sources[0].secrets: one secret, or two while one takes the place of the other';
    for (const secret of ['', ' ', 'short', `${secretOf(kind)}\n`, `whsec_${'A'.repeat(8)}`])
      expect(withSecrets(kind, [secret])).toEqual([expect.stringMatching(rule)]);
    expect(withSecrets(kind, [])).toEqual([count]);
    expect(withSecrets(kind, undefined)).toEqual([count]);
    expect(
      withSecrets(
        kind,
        [1, 2, 3].map((number) => `${secretOf(kind)}${number}`),
      ),
    ).toContain(count);
  });

  it.each(SOURCE_KINDS)(
    'of %s comes from the environment; one that is not set or empty ends the start',
    (kind) => {
      const given = { ...GOOD, kind, ...(/automation|shared/.test(kind) && { header: 'X-Lethe-Secret' }) };
      const sources = [{ ...given, secrets: ['${TICKET_SECRET}'] }];
      const [source] = load(sources, {}, { TICKET_SECRET: secretOf(kind) }).intake.sources;
      expect(source?.secrets).toEqual([secretOf(kind)]);
      expect(mistakesOf(sources)).toEqual([
        'intake.sources[0].secrets[0]: the environment variable TICKET_SECRET to be set',
      ]);
      expect(mistakesOf(sources, {}, { TICKET_SECRET: '' })).toEqual([
        expect.stringMatching(/^intake\.sources\[0\]\.secrets\[0\]: a secret of/),
      ]);
    },
  );

  it('that Zendesk prints in its documentation proves nothing', () => {
    expect(one({ secrets: ['dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=='] })).toEqual([
      'intake.sources[0].secrets[0]: a secret of your own: this one is printed in the documentation of Zendesk',
    ]);
  });

  it("is no other source's, and no two of one source are the same", () => {
    const [secret] = GOOD.secrets;
    expect(mistakesOf([GOOD, { ...GOOD, name: 'legal' }])).toEqual([
      'intake.sources[1].secrets[0]: a secret that no source above has',
    ]);
    expect(one({ secrets: [secret, secret] })).toEqual([
      'intake.sources[0].secrets[1]: another secret than the first',
    ]);
  });

  it('is never repeated in a mistake', () => {
    expect(one({ secrets: ['s3cr3t', 's3cr3t'] }).join()).not.toContain('s3cr3t');
  });
});

describe('a mistake names the field', () => {
  it.each([
    [{ name: 'Support!' }, 'name: a name of 1 to 32 small letters'],
    [
      { kind: 'freshdesk' },
      'kind: one of standard-webhooks, zendesk, jira, jira-automation, github, shared-secret',
    ],
    [{ kind: 'shared-secret' }, 'header: the name of the header that holds the secret'],
    [{ header: 'X-Secret' }, 'header: no header: this kind has headers of its own'],
    [
      { kind: 'shared-secret', header: 'Content-Type' },
      'header: the name of the header that holds the secret',
    ],
    [{ condition: undefined }, 'condition: always, or a list of what has to hold'],
    [{ condition: [] }, 'condition: always, or a list of what has to hold'],
    [{ map: undefined }, 'map: a section with fields among ticket'],
    [{ map: { ticket: '/a' } }, 'map: userId or email, or both'],
    [
      { map: { userId: '/a' } },
      'map.ticket: a JSON Pointer such as /issue/key (RFC 6901), or a list of them',
    ],
    [{ map: { ticket: 'key', userId: '/a' } }, 'map.ticket: a JSON Pointer'],
    [{ map: { ticket: [], userId: '/a' } }, 'map.ticket: a JSON Pointer'],
    [
      { map: { ticket: '/a', userid: '/a', email: '/b' } },
      'map.userid: a known field; did you mean "userId"?',
    ],
    [{ connection: 'other' }, 'connection: the name of one of the connections'],
    [{ projectKeys: ['a'], map: { ...GOOD.map, projectKeys: '/p' } }, 'projectKeys: either projectKeys'],
    [{ type: 'access', map: { ...GOOD.map, type: { at: '/p', words: {} } } }, 'type: either type for all'],
    [{ rateLimit: { requests: 0 } }, 'rateLimit.requests: a whole number from 1'],
  ])('%j', (changes, said) => {
    expect(one(changes)).toEqual([expect.stringContaining(`intake.sources[0].${said}`)]);
  });

  it('in a condition', () => {
    const place = 'intake.sources[0].condition[0]';
    expect(one({ condition: [{ pointer: 'tags', is: 'x' }] })).toEqual([
      `${place}.pointer: a JSON Pointer such as /issue/key (RFC 6901), or a list of them`,
    ]);
    expect(one({ condition: [{ pointer: '/tags', is: {} }] })).toEqual([
      `${place}.is: a text, a number, true or false, or a list of them`,
    ]);
  });

  it('when two sources have one name', () => {
    const other = { ...GOOD, secrets: ['another secret of sixteen'] };
    expect(mistakesOf([GOOD, other])).toEqual(['intake.sources[1].name: a name that no source above has']);
  });

  it('when nobody knows whose user ids they are', () => {
    const connections = [CONNECTION, { ...CONNECTION, name: 'other' }];
    expect(mistakesOf([GOOD], { connections })).toEqual([
      'intake.sources[0].connection: the connection that the user ids of this source belong to',
    ]);
    const byEmail = { ...GOOD, map: { ticket: '/id', email: '/email' } };
    expect(mistakesOf([byEmail], { connections })).toEqual([]);
  });
});

describe('a rule of policy', () => {
  const rules = (source: string) => ({
    policy: { rules: [{ sources: [source], identity: 'not_required' }] },
  });

  it.each(['webhook', 'webhook:support', 'api'])('may be for %s', (source) => {
    expect(mistakesOf([GOOD], rules(source))).toEqual([]);
  });

  it('names a source that there is', () => {
    expect(mistakesOf([GOOD], rules('webhook:legal'))).toEqual([
      'policy.rules[0].sources[0]: webhook: and the name of a source of intake.sources',
    ]);
  });

  it.each(['api:support', 'webhook:', 'webhook:a:b', 'zendesk', ''])('cannot be for %j', (source) => {
    expect(mistakesOf([GOOD], rules(source))).toEqual([
      'policy.rules[0].sources[0]: one of api, import, webhook, or webhook: and the name of a source',
    ]);
  });
});

it('a configured source checks what comes to it', () => {
  const { sources } = openIntake(load([{ ...GOOD, kind: 'shared-secret', header: 'X-Lethe-Secret' }]));
  const check = (value: string) =>
    sources.get('support')?.check({
      header: (name) => (name === 'x-lethe-secret' ? value : undefined),
      body: Buffer.from('{}'),
      now: new Date(),
    }).ok;
  expect([check(GOOD.secrets[0] ?? ''), check('another secret of sixteen')]).toEqual([true, false]);
});
