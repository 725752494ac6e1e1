import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { Config } from '../../src/config.ts';
import { ConfigError, EXIT_CONFIG, loadConfig } from '../../src/config.ts';
import { LetheError } from '../../src/domain/errors.ts';

const KEY = 'k-9f8e7d6c';
const MASTER_BYTES = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7));
const MASTER = MASTER_BYTES.toString('base64');
const CONNECTION = `connections:\n  - { name: default, url: 'https://or.example/v2', apiKey: ${KEY} }\n`;

let cwd = '';
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'lethe-config-'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true });
});

function load(yaml: string, env: NodeJS.ProcessEnv = {}): Config {
  const file = join(cwd, 'under-test.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ ...env, LETHE_CONFIG: file }, { cwd });
}

function errorOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

/** `line|path|expected` of each problem, with `-` for no line. */
function problemsOf(run: () => unknown): string[] {
  return errorOf(run).problems.map(({ line, path, expected }) => `${line ?? '-'}|${path}|${expected}`);
}

/** `line|path` of each problem. */
function placesOf(run: () => unknown): string[] {
  return errorOf(run).problems.map(({ line, path }) => `${line ?? '-'}|${path}`);
}

describe('the environment alone', () => {
  it('makes one connection and the defaults', () => {
    const config = loadConfig({ OPENREPLAY_URL: 'https://or.example/v2/', OPENREPLAY_API_KEY: KEY }, { cwd });
    expect(config).toEqual({
      tenant: 'default',
      server: { host: '127.0.0.1', port: 8080, trustProxy: false },
      database: { kind: 'embedded', directory: join(cwd, '.lethe') },
      queue: { kind: 'postgres' },
      queuePrefix: 'lethe',
      masterKey: undefined,
      otherMasterKeys: [],
      dataDirectory: join(cwd, '.lethe'),
      connections: [
        {
          name: 'default',
          url: 'https://or.example/v2',
          apiKey: KEY,
          projects: undefined,
          countSessionsBefore: true,
          concurrency: 8,
          maxConcurrency: undefined,
          rateLimit: undefined,
          connectTimeoutMs: 5000,
          responseTimeoutMs: 60_000,
          maxBodyBytes: 4_194_304,
        },
      ],
      polling: { minIntervalMs: 10_000, maxIntervalMs: 900_000, fraction: 0.25 },
      verification: { retryMs: 60_000, settleMs: 7_200_000, requireUserAbsent: true },
      retry: { baseMs: 2000, maxMs: 900_000, patienceMs: 86_400_000, beforeDueMs: 259_200_000 },
      breaker: { failures: 8, baseMs: 5000, maxMs: 300_000 },
      jobs: { overdueMs: 93_600_000, stalledMs: 180_000_000 },
      api: { rateLimit: { requests: 600, perSeconds: 60 } },
      rounds: { max: 50, maxFailedJobs: 3 },
      intake: { maxBodyBytes: 1_048_576, keepUnmappableMs: 604_800_000, sources: [] },
      policy: { maxMatches: 5, emailLocalPart: 'exact', waitForLiveMinutes: 60, rules: [] },
      access: { expiresAfterDays: 7 },
      evidence: { origin: 'lethe/default', sealIntervalMs: 1_000 },
      journal: { directory: join(cwd, '.lethe', 'journal'), keepDays: 30 },
      retention: { identifiersAfterCompletionDays: 30 },
      outgoing: {
        hosts: [],
        networks: [],
        plainHttp: false,
        connectTimeoutMs: 5000,
        responseTimeoutMs: 15_000,
        keepDeliveriesDays: 30,
      },
      replies: [],
      sentinel: { days: [1, 7, 30] },
      worker: {
        leaseMs: 30_000,
        handOutMs: 60_000,
        dispatchIntervalMs: 250,
        maxHandedOut: 1000,
        drainMs: 20_000,
      },
      calendars: {
        gdpr: { timeZone: 'UTC' },
        uk_gdpr: { timeZone: 'UTC', country: 'GB', subdivision: 'ENG' },
        ccpa: { timeZone: 'UTC', country: 'US', subdivision: 'CA' },
      },
      log: { level: 'info' },
    });
  });

  it('reads every variable it documents', () => {
    const config = loadConfig(
      {
        OPENREPLAY_URL: 'http://localhost:1234/api/v2',
        OPENREPLAY_API_KEY: KEY,
        DATABASE_URL: 'postgres://u:p@db/lethe',
        LETHE_MIGRATION_DATABASE_URL: 'postgres://m:p@db/lethe',
        REDIS_URL: 'redis://:p@cache:6379/1',
        LETHE_MASTER_KEY: MASTER,
        LETHE_LOG_LEVEL: 'debug',
        LETHE_DATA_DIR: 'elsewhere',
        LETHE_TIME_ZONE: 'Europe/Berlin',
        LETHE_COUNTRY: 'DE',
        HOST: '0.0.0.0',
        PORT: '9090',
      },
      { cwd },
    );
    expect(config.database).toEqual({
      kind: 'url',
      url: 'postgres://u:p@db/lethe',
      migrationUrl: 'postgres://m:p@db/lethe',
    });
    expect(config.queue).toEqual({ kind: 'redis', url: 'redis://:p@cache:6379/1' });
    expect(config.masterKey).toEqual(new Uint8Array(MASTER_BYTES));
    expect(config.log.level).toBe('debug');
    expect(config.dataDirectory).toBe(join(cwd, 'elsewhere'));
    expect(config.calendars.gdpr).toEqual({ timeZone: 'Europe/Berlin', country: 'DE' });
    expect(config.calendars.ccpa).toEqual({ timeZone: 'Europe/Berlin', country: 'US', subdivision: 'CA' });
    expect(config.server).toEqual({ host: '0.0.0.0', port: 9090, trustProxy: false });
  });

  it('names the variable of each mistake, all at once', () => {
    const run = () =>
      loadConfig(
        {
          OPENREPLAY_URL: 'https://user:s3cret@or.example',
          DATABASE_URL: 'mysql://u:s3cret@db/x',
          REDIS_URL: 's3cret',
          LETHE_LOG_LEVEL: 's3cret',
          LETHE_TIME_ZONE: 's3cret',
          LETHE_COUNTRY: 's3cret',
          PORT: '80a',
        },
        { cwd },
      );
    expect(placesOf(run).sort()).toEqual(
      [
        '-|DATABASE_URL',
        '-|LETHE_COUNTRY',
        '-|LETHE_LOG_LEVEL',
        '-|LETHE_TIME_ZONE',
        '-|OPENREPLAY_API_KEY',
        '-|OPENREPLAY_URL',
        '-|PORT',
        '-|REDIS_URL',
        '-|masterKey',
      ].sort(),
    );
    expect(errorOf(run).message).not.toContain('s3cret');
  });

  it('says which two variables or which section to set when there is no connection', () => {
    for (const env of [{}, { OPENREPLAY_URL: '', OPENREPLAY_API_KEY: '' }]) {
      expect(problemsOf(() => loadConfig(env, { cwd }))).toEqual([
        '-|connections|at least one connection: set OPENREPLAY_URL and OPENREPLAY_API_KEY, or write a connections section',
      ]);
    }
    expect(placesOf(() => load('tenant: a\nconnections: []\n'))).toEqual(['2|connections']);
    expect(placesOf(() => loadConfig({ OPENREPLAY_API_KEY: KEY }, { cwd }))).toEqual(['-|OPENREPLAY_URL']);
  });

  it('takes an empty variable for one that is not set', () => {
    const env = { OPENREPLAY_URL: 'https://or.example', OPENREPLAY_API_KEY: KEY, DATABASE_URL: '', PORT: '' };
    expect(loadConfig({ ...env, LETHE_CONFIG: '' }, { cwd }).database.kind).toBe('embedded');
  });

  it('wants the login of the service beside the one that migrates', () => {
    const env = {
      OPENREPLAY_URL: 'https://or.example',
      OPENREPLAY_API_KEY: KEY,
      LETHE_MIGRATION_DATABASE_URL: 'postgres://m:s3cret@db/x',
    };
    expect(problemsOf(() => loadConfig(env, { cwd }))).toEqual([
      '-|LETHE_MIGRATION_DATABASE_URL|databaseUrl (DATABASE_URL), too: what the service itself connects as',
    ]);
  });

  it('needs a master key with a database of its own', () => {
    const env = {
      OPENREPLAY_URL: 'https://or.example',
      OPENREPLAY_API_KEY: KEY,
      DATABASE_URL: 'postgres://db/x',
    };
    expect(problemsOf(() => loadConfig(env, { cwd }))).toEqual([
      '-|masterKey|a master key beside databaseUrl: set LETHE_MASTER_KEY or masterKey',
    ]);
  });
});

describe('the file', () => {
  it('wins over the environment, field by field', () => {
    const env = {
      HOST: '10.0.0.1',
      PORT: '1',
      OPENREPLAY_URL: 'https://other.example',
      OPENREPLAY_API_KEY: 'x',
    };
    const config = load(`server: { port: 9000 }\n${CONNECTION}`, env);
    expect(config.server).toEqual({ host: '10.0.0.1', port: 9000, trustProxy: false });
    expect(config.connections.map(({ url }) => url)).toEqual(['https://or.example/v2']);
  });

  it('is lethe.yaml of the working directory when LETHE_CONFIG is not set', () => {
    const home = mkdtempSync(join(cwd, 'home-'));
    writeFileSync(join(home, 'lethe.yaml'), `tenant: from-file\n${CONNECTION}`);
    expect(loadConfig({}, { cwd: home }).tenant).toBe('from-file');
    writeFileSync(join(home, 'other.yaml'), `tenant: other\n${CONNECTION}`);
    expect(loadConfig({ LETHE_CONFIG: 'other.yaml' }, { cwd: home }).tenant).toBe('other');
  });

  it('must exist when LETHE_CONFIG names it, and be readable', () => {
    const [missing] = problemsOf(() => loadConfig({ LETHE_CONFIG: 'nowhere.yaml' }, { cwd }));
    expect(missing).toBe(`-|LETHE_CONFIG|a file that can be read at ${join(cwd, 'nowhere.yaml')} (ENOENT)`);
    expect(problemsOf(() => loadConfig({ LETHE_CONFIG: cwd }, { cwd }))[0]).toMatch(/EISDIR/);
  });

  it('may be empty or hold comments only', () => {
    const env = { OPENREPLAY_URL: 'https://or.example', OPENREPLAY_API_KEY: KEY };
    for (const yaml of ['', '# nothing yet\n', '---\n']) expect(load(yaml, env).tenant).toBe('default');
    for (const yaml of ['- a\n', 'text\n'])
      expect(placesOf(() => load(yaml, env))).toEqual(['1|(top level)']);
  });

  it('reads several connections with every field', () => {
    const config = load(`
connections:
  - name: eu
    url: https://EU.example:8443/v2//
    apiKey: key-eu
    projects: [abc, 'D_e-1']
    countSessionsBefore: false
    concurrency: 256
    connectTimeoutMs: 1
    responseTimeoutMs: 2147483647
    maxBodyBytes: 1024
  - { name: us, url: http://127.0.0.1:1, apiKey: key-us }
`);
    expect(config.connections[0]).toEqual({
      name: 'eu',
      url: 'https://eu.example:8443/v2',
      apiKey: 'key-eu',
      projects: ['abc', 'D_e-1'],
      countSessionsBefore: false,
      concurrency: 256,
      connectTimeoutMs: 1,
      responseTimeoutMs: 2_147_483_647,
      maxBodyBytes: 1024,
    });
    expect(config.connections.map(({ name }) => name)).toEqual(['eu', 'us']);
  });

  it('is frozen all the way down', () => {
    const config = load(CONNECTION);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.connections)).toBe(true);
    expect(Object.isFrozen(config.connections[0])).toBe(true);
    expect(Object.isFrozen(config.worker)).toBe(true);
  });

  it('lethe.example.yaml is valid as it is, and holds the defaults', () => {
    const example = readFileSync(new URL('../../lethe.example.yaml', import.meta.url), 'utf8');
    const env = {
      OPENREPLAY_API_KEY: KEY,
      DATABASE_URL: 'postgres://u:p@db/x',
      REDIS_URL: 'redis://cache',
      LETHE_MASTER_KEY: MASTER,
    };
    const { database, queue, masterKey, connections, ...rest } = load(example, env);
    const bare = loadConfig({ OPENREPLAY_URL: 'https://or.example', OPENREPLAY_API_KEY: KEY }, { cwd });
    expect({ ...bare, ...rest }).toEqual(bare);
    expect([database.kind, queue.kind, masterKey?.length]).toEqual(['url', 'redis', 32]);
    expect(connections[0]).toEqual({ ...bare.connections[0], url: 'https://api.openreplay.com/v2' });
  });

  it('.env.example names variables that are read, and each of them', () => {
    const source = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
    for (const name of [
      'OPENREPLAY_URL',
      'OPENREPLAY_API_KEY',
      'LETHE_MASTER_KEY',
      'LETHE_OTHER_MASTER_KEYS',
      'LETHE_LOG_LEVEL',
      'LETHE_TIME_ZONE',
      'LETHE_COUNTRY',
      'PORT',
    ]) {
      expect(source).toMatch(new RegExp(`^#? ?${name}=`, 'm'));
    }
  });
});

describe('mistakes', () => {
  it('are all reported at once, with line and path', () => {
    const run = () =>
      load(
        `tenant: 'not ok'
server:
  port: 70000
  hots: localhost
databaseUrl: postgres://db/x
connections:
  - name: Default
    url: https://or.example/v2?x=1
    apiKey: "two words"
    projects: []
    concurrency: 0
  - name: eu
    apikey: abcdef
    url: ftp://or.example
    projects: [ok, a/b, ok]
  - name: eu
    url: https://or.example
    apiKey: \${NOT_SET}
polling: { minIntervalMs: 500, maxIntervalMs: 400, fraction: 1.5 }
retry: { baseMs: 1000000 }
worker: { drainMs: -1, leaseMs: 1.5 }
log: { level: loud }
log_level: x
port: 1
rounds: null
`,
      );
    expect(placesOf(run)).toEqual([
      '1|tenant',
      '3|server.port',
      '4|server.hots',
      '7|connections[0].name',
      '8|connections[0].url',
      '9|connections[0].apiKey',
      '10|connections[0].projects',
      '11|connections[0].concurrency',
      '12|connections[1].apiKey',
      '13|connections[1].apikey',
      '14|connections[1].url',
      '15|connections[1].projects[1]',
      '15|connections[1].projects[2]',
      '16|connections[2].name',
      '18|connections[2].apiKey',
      '19|polling.fraction',
      '19|polling.minIntervalMs',
      '20|retry.baseMs',
      '21|worker.leaseMs',
      '21|worker.drainMs',
      '22|log.level',
      '23|log_level',
      '24|port',
      '25|rounds',
      '-|masterKey',
    ]);
    const error = errorOf(run);
    expect(error).toBeInstanceOf(LetheError);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message.split('\n')).toHaveLength(26);
    expect(error.message).toContain(
      'The configuration (under-test.yaml) has 25 mistakes:\n  - line 1, tenant: expected 1 to 64 letters',
    );
    expect(error.message).toContain('\n  - masterKey: expected a master key beside databaseUrl');
  });

  it.each([
    ['server: { hots: a }', 'server.hots', 'a known field; did you mean "host"?'],
    ['database_url: a', 'database_url', 'a known field; did you mean "databaseUrl"?'],
    ['conections: []', 'conections', 'a known field; did you mean "connections"?'],
    ['polling: { minInterval: 1 }', 'polling.minInterval', 'a known field; did you mean "minIntervalMs"?'],
    ['port: 1', 'port', 'a known field; "port" belongs under "server"'],
    [
      'api: { rateLimit: { perSecond: 1 } }',
      'api.rateLimit.perSecond',
      'a known field; did you mean "perSeconds"?',
    ],
    ['requests: 1', 'requests', 'a known field; "requests" belongs under "api.rateLimit"'],
    ['server: { tenant: a }', 'server.tenant', 'a known field; "tenant" belongs at the top level'],
    ['zebra: 1', 'zebra', 'a known field'],
    ['__proto__: { tenant: a }', '(name not shown)', 'a known field'],
    ['constructor: 1', 'constructor', 'a known field'],
  ])('%s: unknown field', (yaml, path, expected) => {
    expect(problemsOf(() => load(`${CONNECTION}${yaml}\n`))).toEqual([`3|${path}|${expected}`]);
  });

  it('in the rules of policy are named inside the rule', () => {
    const yaml = `${CONNECTION}policy:
  maxMatches: 0
  rules:
    - sources: [apy]
      approval: three
      aproval: one
      coolingOffMinutes: -1
    - 7
`;
    expect(placesOf(() => load(yaml))).toEqual([
      '4|policy.maxMatches',
      '6|policy.rules[0].sources[0]',
      '7|policy.rules[0].approval',
      '8|policy.rules[0].aproval',
      '9|policy.rules[0].coolingOffMinutes',
      '10|policy.rules[1]',
    ]);
  });

  it('of YAML have their line and no word of the source', () => {
    const cases: [yaml: string, line: number, expected: RegExp][] = [
      ['tenant: a\n  s3cret: b\n', 1, /./],
      ['server: { port: ${s3cret} }\n', 1, /^quotes around "\$\{NAME\}" inside/],
      ['tenant: "s3cret\n', 2, /closing quote/],
      ['masterKey: @s3cret\n', 1, /quotes around text/],
      ['tenant: a\nlog: [s3cret\n', 3, /every bracket closed/],
      ['tenant: a\nlog:\n\tlevel: s3cret\n', 3, /spaces for indentation/],
      ['tenant: a\n---\ntenant: s3cret\n', 2, /one YAML document/],
      ['tenant: a\nmasterKey: *s3cret\n', 2, /anchor/],
      ['tenant: a\n[s3cret]: b\n', 2, /a field name without brackets/],
      ['tenant: a\n{ s3cret: b }: c\n', 2, /a field name without brackets/],
      ['masterKey: !s3cret x\n', 1, /tag/],
      ['masterKey: "\\q s3cret"\n', 1, /escape/],
    ];
    for (const [yaml, line, expected] of cases) {
      const error = errorOf(() => load(yaml));
      expect([yaml, error.problems[0]?.line]).toEqual([yaml, line]);
      expect(error.problems[0]?.expected).toMatch(expected);
      expect(error.message).not.toContain('s3cret');
    }
  });

  it('name fields that are given twice, beside all others', () => {
    const run = () => load(`tenant: a\nserver:\n  port: 1\n  port: x\ntenant: b\n${CONNECTION}`);
    expect(placesOf(run)).toEqual(['4|(YAML)', '4|server.port', '5|(YAML)']);
    expect(errorOf(run).message).toContain('line 5, (YAML): expected each field once');
  });

  it('survive aliases: shared ones are read, endless ones are mistakes', () => {
    const shared = load(
      `connections:\n  - &a { name: a, url: 'https://x', apiKey: k, projects: &p [one] }\n` +
        `  - { name: b, url: 'https://y', apiKey: k, projects: *p }\n`,
    );
    expect(shared.connections[1]?.projects).toEqual(['one']);
    expect(placesOf(() => load(`${CONNECTION}polling: &p { fraction: *p }\n`)).length).toBeGreaterThan(0);
    const links = ['b', 'c', 'd', 'e', 'f', 'g'];
    const bomb = [
      'a: &a [x]',
      ...links.map((name, index) => `${name}: &${name} [${`*${links[index - 1] ?? 'a'},`.repeat(9)}]`),
    ];
    expect(placesOf(() => load(bomb.join('\n')))).toEqual(['1|(YAML)']);
  });
});

describe('variables in the file', () => {
  it('are replaced inside texts, and typed where the field is', () => {
    const config = load(
      `tenant: \${T}\nserver:\n  port: \${P}\n  trustProxy: "\${B}"\npolling: { fraction: '\${F}' }\n` +
        `connections:\n  - { name: a, url: 'https://\${H}/v\${V}', apiKey: '\${K}$\${K}' }\n`,
      { T: '12', P: '9000', B: 'true', F: '0.5', H: 'or.example', V: '2', K: '0123' },
    );
    expect(config.tenant).toBe('12');
    expect(config.server).toMatchObject({ port: 9000, trustProxy: true });
    expect(config.polling.fraction).toBe(0.5);
    expect(config.connections[0]).toMatchObject({ url: 'https://or.example/v2', apiKey: '0123${K}' });
  });

  it('that are not set are one mistake each, naming path and variable', () => {
    const yaml = `databaseUrl: \${DB_A}\nmasterKey: a\${DB_B}\${DB_C}\n${CONNECTION}`;
    expect(problemsOf(() => load(yaml))).toEqual([
      '1|databaseUrl|the environment variable DB_A to be set',
      '2|masterKey|the environment variable DB_B to be set',
    ]);
    const own = problemsOf(() => load(`tenant: \${constructor}\n${CONNECTION}`));
    expect(own).toEqual(['1|tenant|the environment variable constructor to be set']);
  });

  it.each(['${}', '${A-b}', '${A', '${ A }'])('%s is no reference', (text) => {
    const problems = problemsOf(() => load(`tenant: '${text}'\n${CONNECTION}`, { A: 'x' }));
    expect(problems).toEqual([
      '1|tenant|${NAME} with a name of letters, digits and _, or $${ for the characters themselves',
    ]);
  });

  it('cannot add structure, and a replaced text is not read again', () => {
    const hostile = "x', admin: true}\nmasterKey: [1]\n- ${HOME}";
    expect(placesOf(() => load(`tenant: \${X}\n${CONNECTION}`, { X: hostile }))).toEqual(['1|tenant']);
    const config = load(`connections:\n  - { name: a, url: 'https://x', apiKey: '\${X}' }\n`, {
      X: '${HOME}',
      HOME: 'never',
    });
    expect(config.connections[0]?.apiKey).toBe('${HOME}');
  });

  it('any value of a variable arrives as it is, or is a mistake that does not show it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (value) => {
        const yaml = `connections:\n  - { name: a, url: 'https://x', apiKey: '\${X}' }\n`;
        if (/^[\x21-\x7e]+$/.test(value)) {
          expect(load(yaml, { X: value }).connections[0]?.apiKey).toBe(value);
        } else {
          expect(placesOf(() => load(yaml, { X: value }))).toEqual(['2|connections[0].apiKey']);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('fields', () => {
  it.each([
    ['postgres://u:p@h:5432/db', true],
    ['postgresql:///db?host=/run/postgresql', true],
    ['postgres://u:p@h/db?sslmode=require', true],
    ['postgres://h', false],
    ['http://h/db', false],
    ['postgres:db', false],
    ['postgres://h/d b', false],
    ['', false],
  ])('databaseUrl %s', (value, valid) => {
    const run = () => load(`databaseUrl: '${value}'\nmasterKey: ${MASTER}\n${CONNECTION}`);
    if (valid) expect(run().database).toEqual({ kind: 'url', url: value });
    else expect(placesOf(run)).toEqual(['1|databaseUrl']);
  });

  it.each([
    ['redis://h', true],
    ['rediss://u:p@h:6380/2', true],
    ['redis://[::1]:6379', true],
    ['redis://', false],
    ['redis://h/name', false],
    ['unix:///run/redis.sock', false],
  ])('redisUrl %s', (value, valid) => {
    const run = () => load(`redisUrl: '${value}'\n${CONNECTION}`);
    if (valid) expect(run().queue).toEqual({ kind: 'redis', url: value });
    else expect(placesOf(run)).toEqual(['1|redisUrl']);
  });

  it.each([
    ['[]', true],
    ['[1]', true],
    ['[1, 7, 30, 3650]', true],
    ['[1,2,3,4,5,6,7,8,9,10]', true],
    ['[1,2,3,4,5,6,7,8,9,10,11]', false],
    ['[7, 1]', false],
    ['[1, 1]', false],
    ['7', false],
  ])('sentinel.days %s', (days, valid) => {
    const run = () =>
      load(`sentinel: { days: ${days} }\nretention: { identifiersAfterCompletionDays: 3650 }\n${CONNECTION}`);
    if (valid) expect(run().sentinel.days).toEqual(JSON.parse(days));
    else expect(placesOf(run)).toEqual(['1|sentinel.days']);
  });

  describe('replies', () => {
    const target = 'name: a, kind: jira, url: https://a.atlassian.net/, user: me@example.com, token: secret';
    const place = (more: string) =>
      placesOf(() => load(`outgoing: { hosts: ["*"] }\nreplies: [{ ${target}${more} }]\n${CONNECTION}`));

    it('a target has its defaults', () => {
      const { replies } = load(`replies: [{ ${target} }]\n${CONNECTION}`);
      expect(replies).toMatchObject([{ url: 'https://a.atlassian.net', prefix: '', on: { completed: {} } }]);
    });

    it.each([
      ['on: { completed: { comment: "{{requestId}} {{#dueOn}}by {{dueOn}}{{/dueOn}}", transition: "31" } }'],
      ['on: { refused: { comment: "" } }'],
    ])('%s is right', (more) => {
      expect(load(`replies: [{ ${target}, ${more} }]\n${CONNECTION}`).replies).toHaveLength(1);
    });

    it.each([
      ['on: { completed: { comment: "{{userId}}" } }', 'replies[0].on.completed.comment'],
      ['on: { completed: { comment: "{{> other}}" } }', 'replies[0].on.completed.comment'],
      ['on: { completed: { comment: "{{#dueOn}}" } }', 'replies[0].on.completed.comment'],
      ['on: { completed: { transition: "Done" } }', 'replies[0].on.completed.transition'],
      ['on: { completed: { status: closed } }', 'replies[0].on.completed.status'],
      ['on: { cancelled: {} }', 'replies[0].on.cancelled'],
      ['prefixes: x', 'replies[0].prefixes'],
    ])('%s is a mistake at %s', (more, path) => {
      expect(place(`, ${more}`)).toEqual([expect.stringContaining(`2|${path}`)]);
    });
  });

  it.each([
    ['hosts: [hooks.example.com, "*.example.org", "*"]', undefined],
    ['networks: [10.0.0.0/8, "fd00::/8"]', undefined],
    ['hosts: ["https://example.com"]', 'outgoing.hosts[0]'],
    ['hosts: ["a.*.com"]', 'outgoing.hosts[0]'],
    ['networks: [10.0.0.1]', 'outgoing.networks[0]'],
    ['networks: [10.0.0.0/33]', 'outgoing.networks[0]'],
  ])('outgoing: { %s }', (fields, path) => {
    const run = () => load(`outgoing: { ${fields} }\n${CONNECTION}`);
    if (path === undefined) expect(run().outgoing).toBeDefined();
    else expect(placesOf(run)).toEqual([`1|${path}`]);
  });

  it.each(['[0]', '[1.5]', '[3651]', '[day]'])('sentinel.days %s names the day', (days) => {
    expect(placesOf(() => load(`sentinel: { days: ${days} }\n${CONNECTION}`))).toEqual([
      '1|sentinel.days[0]',
    ]);
  });

  it.each([
    'https://a@or.example/v2',
    'https://@or.example/v2',
    'https://a:b@or.example',
    'https://or.example/v2?',
    'https://or.example/v2?a=b',
    'https://or.example/v2#',
    'https://or.example/v2#a',
    'https:or.example',
    'https:/or.example',
    'https:\\\\or.example',
    '//or.example',
    'or.example/v2',
    ' https://or.example',
    'https://or.example\t/v2',
    'https://or.exa mple',
    'https://',
    'javascript://x',
    'file:///etc/passwd',
    'redis://or.example',
    '',
  ])('connection url %j is refused', (url) => {
    const yaml = `connections:\n  - { name: a, apiKey: k, url: ${JSON.stringify(url)} }\n`;
    expect(placesOf(() => load(yaml))).toEqual(['2|connections[0].url']);
  });

  it.each([
    [MASTER, true],
    [MASTER.replace('=', ''), true],
    [MASTER_BYTES.toString('hex'), true],
    [MASTER_BYTES.toString('hex').toUpperCase(), true],
    [MASTER_BYTES.toString('hex').slice(1), false],
    [MASTER_BYTES.subarray(1).toString('base64'), false],
    [`${MASTER_BYTES.toString('base64').slice(0, 42)}B=`, false],
    [`${MASTER}\n`, false],
    ['correct horse battery staple, thirty-two', false],
    ['', false],
  ])('masterKey form %#', (value, valid) => {
    const run = () => load(`masterKey: ${JSON.stringify(value)}\n${CONNECTION}`);
    if (valid) expect(run().masterKey).toEqual(new Uint8Array(MASTER_BYTES));
    else expect(placesOf(run)).toEqual(['1|masterKey']);
  });

  it('otherMasterKeys are as many as are given, from the variable too, and not one that is wrong', () => {
    const keys = [1, 2].map((byte) => Buffer.alloc(32, byte));
    const given = keys.map((key) => key.toString('base64')).join(', ');
    const expected = keys.map((key) => new Uint8Array(key));
    expect(load(`otherMasterKeys: '${given}'\n${CONNECTION}`).otherMasterKeys).toEqual(expected);
    expect(load(CONNECTION, { LETHE_OTHER_MASTER_KEYS: given }).otherMasterKeys).toEqual(expected);
    expect(load(CONNECTION, { LETHE_OTHER_MASTER_KEYS: '' }).otherMasterKeys).toEqual([]);
    for (const wrong of [`${given},`, `${given},x`, given.replace(', ', ' ')])
      expect(placesOf(() => load(CONNECTION, { LETHE_OTHER_MASTER_KEYS: wrong }))).toEqual([
        '-|LETHE_OTHER_MASTER_KEYS',
      ]);
  });

  it.each([
    [
      'retention: { identifiersAfterCompletionDays: 29 }',
      '1|retention.identifiersAfterCompletionDays|at least sentinel.days (30)',
    ],
    ['sentinel: { days: [1, 31] }', '1|sentinel.days|at most retention.identifiersAfterCompletionDays (30)'],
    [
      'access: { expiresAfterDays: 31 }',
      '1|access.expiresAfterDays|at most retention.identifiersAfterCompletionDays (30)',
    ],
  ])('nothing needs identifiers for longer than they are kept: %s', (yaml, problem) => {
    expect(problemsOf(() => load(`${yaml}\n${CONNECTION}`))).toEqual([problem]);
  });

  it('a retention may be as short as nothing needs it for longer', () => {
    const retention = 'retention: { identifiersAfterCompletionDays: 1 }';
    const run = () =>
      load(`${retention}\nsentinel: { days: [] }\naccess: { expiresAfterDays: 1 }\n${CONNECTION}`);
    expect(run().retention.identifiersAfterCompletionDays).toBe(1);
    const both = load(
      `retention: { identifiersAfterCompletionDays: 60 }\nsentinel: { days: [60] }\n${CONNECTION}`,
    );
    expect(both.sentinel.days).toEqual([60]);
  });

  it('masterKey: every 32 bytes come back from hex and base64, no other length does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 48 }), (bytes) => {
        for (const encoding of ['hex', 'base64'] as const) {
          const env = { LETHE_MASTER_KEY: Buffer.from(bytes).toString(encoding) };
          const run = () => load(CONNECTION, env);
          if (bytes.length === 32) expect(run().masterKey).toEqual(bytes);
          else if (bytes.length > 0) expect(placesOf(run)).toEqual(['-|LETHE_MASTER_KEY']);
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    'tenant: ""',
    `tenant: ${'a'.repeat(65)}`,
    'tenant: a/b',
    'tenant: 12',
    'server: { port: -1 }',
    'server: { port: 1.5 }',
    'server: { port: "80 80" }',
    'server: { port: .nan }',
    'server: { host: "a b" }',
    'server: { trustProxy: yes }',
    'server: 5',
    'server: [a]',
    'queuePrefix: "a:b"',
    'queuePrefix: "{}"',
    'dataDirectory: " "',
    'polling: { fraction: 0 }',
    'polling: { fraction: 1.01 }',
    'polling: { maxIntervalMs: 9999 }',
    'polling: { minIntervalMs: 900001 }',
    'retry: { maxMs: 1999 }',
    'retry: { maxMs: 2147483648 }',
    'verification: { settleMs: -1 }',
    'verification: { requireUserAbsent: 1 }',
    'rounds: { max: 0 }',
    'api: { rateLimit: { requests: 0 } }',
    'api: { rateLimit: { perSeconds: 3601 } }',
    'api: { rateLimit: 600 }',
    'worker: { maxHandedOut: 0 }',
    'log: { level: INFO }',
    'log:',
    'masterKey: null',
    'redisUrl:',
  ])('%s is one mistake, on its line', (yaml) => {
    const problems = errorOf(() => load(`${CONNECTION}${yaml}\n`)).problems;
    expect(problems.map(({ line }) => line)).toEqual([3]);
  });

  it.each([
    'tenant: a.B_c-1',
    'server: { port: 0 }',
    'server: { host: "::1" }',
    'server: { port: "8081" }',
    'queuePrefix: "{lethe}"',
    'polling: { fraction: 1, minIntervalMs: 5, maxIntervalMs: 5 }',
    'verification: { settleMs: 0 }',
    'worker: { drainMs: 0 }',
    'log: { level: silent }',
    'polling: {}',
  ])('%s is fine', (yaml) => {
    expect(() => load(`${CONNECTION}${yaml}\n`)).not.toThrow();
  });

  it.each(['a', '0', 'a-b', 'x'.repeat(32)])('connection name %s is fine', (name) => {
    const yaml = `connections: [{ name: '${name}', url: 'https://x', apiKey: k }]\n`;
    expect(load(yaml).connections[0]?.name).toBe(name);
  });

  it.each(['', '-a', 'A', 'a_b', 'a b', 'x'.repeat(33), 'a\\n'])(
    'connection name "%s" is refused',
    (name) => {
      const yaml = `connections: [{ name: "${name}", url: 'https://x', apiKey: k }]\n`;
      expect(placesOf(() => load(yaml))).toEqual(['1|connections[0].name']);
    },
  );

  it.each(['', 'a b', 'a\\r\\nX: y', '\\0', 'é', 'a\\t'])('apiKey "%s" is refused', (key) => {
    const yaml = `connections: [{ name: a, url: 'https://x', apiKey: "${key}" }]\n`;
    expect(placesOf(() => load(yaml))).toEqual(['1|connections[0].apiKey']);
  });

  it.each(['[]', '["a/b"]', '[""]', '["a", "a"]', '[123]', 'abc', '', '[null]'])(
    'projects %s is refused: never read as every project',
    (projects) => {
      const yaml = `connections:\n  - name: a\n    url: https://x\n    apiKey: k\n    projects: ${projects}\n`;
      expect(errorOf(() => load(yaml)).problems.map(({ line }) => line)).toEqual([5]);
    },
  );
});

describe('secrets', () => {
  const SECRET = 'S3cretS3cretS3cret';
  it('never appear in an error, wherever they are written', () => {
    const yaml = [
      'tenant: SECRET !',
      'masterKey: SECRET',
      'databaseUrl: x://u:SECRET@h/d',
      'redisUrl: "SECRET redis"',
      'SECRET: 1',
      'connections:',
      '  - { name: SECRET, url: "ftp://u:SECRET@h", apiKey: "SECRET 2", projects: ["SECRET/"], SECRET }',
      'polling: SECRET',
      'retry: { baseMs: SECRET, maxMs: [SECRET] }',
      'log: { level: SECRET, SECRET: { SECRET: 1 } }',
      'worker: { leaseMs: "${SECRET }", drainMs: "${V}" }',
    ].join('\n');
    const error = errorOf(() => load(yaml.replaceAll('SECRET', SECRET), { V: SECRET }));
    expect(error.problems.length).toBeGreaterThanOrEqual(14);
    expect(error.message + JSON.stringify(error.problems) + String(error.cause)).not.toContain(SECRET);
  });

  it('never appear for any damage done to a good file', () => {
    const good = `tenant: acme
server: { port: 8080 }
databaseUrl: postgres://u:SECRET@h/d
redisUrl: redis://:SECRET@h
masterKey: SECRET
connections:
  - name: a
    url: https://x
    apiKey: SECRET
    projects: [a, b]
`.replaceAll('SECRET', SECRET);
    const damage = fc.constantFrom(...Array.from('\n\t :#[]{}&*!|>\'"%@`,?-$'));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length), damage), { minLength: 1, maxLength: 4 }), (cuts) => {
        let yaml = good;
        for (const [at, sign] of cuts) yaml = yaml.slice(0, at) + sign + yaml.slice(at);
        expect(errorOf(() => load(yaml)).message).not.toContain(SECRET);
      }),
      { numRuns: 1000 },
    );
  });
});

it('the exit status for mains is sysexits EX_CONFIG', () => {
  expect(EXIT_CONFIG).toBe(78);
});
