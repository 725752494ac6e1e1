import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../src/config.ts';
import { SOURCE_KINDS, type SourceKind } from '../../src/domain/ticket.ts';
import { openIntake } from '../../src/open-intake.ts';
import { openApi, type Api } from '../support/api.ts';
import { jsonLines, lethe, type CliResult } from '../support/cli.ts';
import { createTestFolder } from '../support/postgres.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { HEADER, secretsOf, sent } from '../support/ticketing.ts';

/** docs/ticketing.md as it stands: each section's configuration, with the payload that it names. */

const ROOT = path.join(import.meta.dirname, '..', '..');
const PAGE = readFileSync(path.join(ROOT, 'docs', 'ticketing.md'), 'utf8');
const FIXTURES = path.join(ROOT, 'test', 'fixtures', 'ticketing');

interface Section {
  readonly title: string;
  readonly name: string;
  readonly kind: SourceKind;
  readonly variable: string;
  readonly config: unknown;
  readonly fixture: string;
}

const sourceIn = z.object({
  intake: z.object({
    sources: z.tuple([
      z.looseObject({ name: z.string(), kind: z.enum(SOURCE_KINDS), secrets: z.tuple([z.string()]) }),
    ]),
  }),
});

const sections: readonly Section[] = PAGE.split(/^## /m).flatMap((text): Section[] => {
  const yaml = /^```yaml\n(intake:[^]*?)^```$/m.exec(text)?.[1];
  if (yaml === undefined) return [];
  const config: unknown = parse(yaml);
  const [{ name, kind, secrets }] = sourceIn.parse(config).intake.sources;
  const fixture = /fixtures\/ticketing\/([a-z-]+\.json)\)/.exec(text)?.[1] ?? 'none';
  const variable = /^\$\{([A-Z_]+)\}$/.exec(secrets[0])?.[1] ?? 'none';
  return [{ title: text.split('\n')[0] ?? '', name, kind, variable, config, fixture }];
});

/** Whom and what each payload is about. */
const EXPECTED: Readonly<Record<string, { reference: string; subject: object; receivedAt?: string }>> = {
  zendesk: {
    reference: '5160',
    subject: { userId: 'user-8832', email: 'alex.doe@example.org' },
    receivedAt: '2026-03-02T10:20:41.000Z',
  },
  'zendesk-events': {
    reference: '5158',
    subject: { userId: 'user-8831' },
    receivedAt: '2026-03-02T10:12:07.000Z',
  },
  jira: { reference: 'DSAR-24', subject: { userId: 'user-8833' }, receivedAt: '2026-03-02T10:12:07.000Z' },
  'jira-automation': { reference: 'DSAR-25', subject: { userId: 'user-8834' } },
  github: { reference: '47', subject: { userId: 'alex-doe' }, receivedAt: '2026-03-02T10:12:07.000Z' },
  freshdesk: { reference: '9021', subject: { userId: 'user-8835', email: 'alex.doe@example.org' } },
  freshservice: { reference: 'SR-1187', subject: { userId: 'user-8836', email: 'alex.doe@example.org' } },
  servicenow: {
    reference: 'RITM0010213',
    subject: { email: 'alex.doe@example.org' },
    receivedAt: '2026-03-02T10:12:07.000Z',
  },
  standard: { reference: 'DSR-311', subject: { userId: 'user-8837', email: 'alex.doe@example.org' } },
};

const [backend] = queueBackends();
if (backend === undefined) throw new Error('no queue backend');

let stage: Stage;
let api: Api;
let cwd: string;
let env: Record<string, string>;

beforeAll(async () => {
  cwd = await createTestFolder();
  // Each its own, as the page says.
  const secrets = sections.map(({ kind, variable, name }): [string, string] => {
    const [secret] = secretsOf(kind);
    return [variable, kind === 'standard-webhooks' ? secret : `${secret}, of ${name}`];
  });
  env = {
    ...Object.fromEntries<string>(secrets),
    OPENREPLAY_URL: 'https://or.example/v2',
    OPENREPLAY_API_KEY: 'k-1',
  };
  const sources = sections.flatMap(({ config }) => sourceIn.parse(config).intake.sources);
  await writeFile(path.join(cwd, 'lethe.yaml'), stringify({ intake: { sources } }));
  const intake = openIntake(loadConfig(env, { cwd }));
  stage = await openStage({ backend, parts: { intake } });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const ids = z.object({ items: z.array(z.object({ id: z.string() })) });
async function requestsOf(reference: string): Promise<readonly string[]> {
  const { body } = await api.call(`GET /v1/erasure-requests?reference=${reference}`);
  return ids.parse(JSON.parse(body)).items.map(({ id }) => id);
}

async function requestOf(reference: string): Promise<string> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const [id] = await requestsOf(reference);
    if (id !== undefined) return id;
    if (Date.now() > deadline) {
      const { body } = await api.call('GET /v1/webhook-deliveries');
      throw new Error(`no request of ${reference}; ${body}`);
    }
    await sleep(25);
  }
}

const webhook = (...args: string[]): Promise<CliResult> => lethe(['webhook', ...args], { cwd, env });

it('the page has a section, a kind and a payload for everything', () => {
  expect(sections.map(({ name }) => name).toSorted()).toEqual(Object.keys(EXPECTED).toSorted());
  expect(new Set(sections.map(({ kind }) => kind))).toEqual(new Set(SOURCE_KINDS));
  expect(sections.map(({ fixture }) => fixture).toSorted()).toEqual(readdirSync(FIXTURES).toSorted());
  for (const { title } of sections) {
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^a-z ]/g, '')
      .replaceAll(' ', '-');
    expect(PAGE).toContain(`[${title}](#${anchor})`);
  }
});

it('the rule of policy on the page is one', () => {
  const text = /^ {2}```yaml\n( {2}policy:[^]*?)^ {2}```$/m.exec(PAGE)?.[1];
  const policy: unknown = parse(text ?? '');
  const file = path.join(cwd, 'with-policy.yaml');
  const sources = sections.flatMap(({ config }) => sourceIn.parse(config).intake.sources);
  return writeFile(file, stringify({ ...z.looseObject({}).parse(policy), intake: { sources } })).then(() => {
    const { policy: read } = loadConfig({ ...env, LETHE_CONFIG: file }, { cwd });
    expect(read.rules).toHaveLength(1);
  });
});

describe.each(sections)('$title', ({ name, kind, variable, fixture }) => {
  const file = path.join(FIXTURES, fixture);
  const { reference, subject, receivedAt } = EXPECTED[name] ?? { reference: '', subject: {} };

  it('is shown masked by a dry run', async () => {
    const { status, out, err } = await webhook('test', name, file, '--dry-run');
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain(`ticket: ${reference}`);
    expect(out).toContain('needs before it is carried out: a verified identity, approvals: 1');
    for (const value of Object.values(subject)) expect(out).not.toContain(String(value));
    expect(out).not.toMatch(/Alex Doe|Mia Krystof/);
    expect(await requestsOf(reference)).toEqual([]);
  });

  it('becomes a request of the person it is about, sent by the system itself', async () => {
    const given = readFileSync(file, 'utf8');
    const body = kind === 'jira' ? given.replace('1772446327000', String(Date.now())) : given;
    const { headers } = sent(kind, body, { secret: env[variable] ?? '' });
    const named = HEADER in headers ? { 'X-Lethe-Secret': headers[HEADER] ?? '' } : headers;
    const answer = await api.call(`POST /webhooks/${name}`, { key: null, body, headers: named });
    expect(answer.status).toBe(202);
    const id = await requestOf(reference);
    const view = await stage.show(id);
    expect(view).toMatchObject({
      type: 'erasure',
      state: 'awaiting_identity',
      ticket: { source: name, reference },
    });
    if (receivedAt !== undefined) expect(view.receivedAt).toBe(receivedAt);
    const shown = await api.call(`GET /v1/erasure-requests/${id}/subject`);
    expect(JSON.parse(shown.body)).toMatchObject(subject);
  });

  it('is sent by the command as well, and makes no second request', async () => {
    const { status, out, err } = await webhook(
      'test',
      name,
      file,
      '--url',
      `http://127.0.0.1:${api.port}`,
      '--json',
    );
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject({ repeated: expect.any(Boolean) });
    expect(await requestsOf(reference)).toHaveLength(1);
  });
});

describe('the commands', () => {
  const answering = (...args: string[]) =>
    lethe(['webhook', ...args, '--url', `http://127.0.0.1:${api.port}`], {
      cwd,
      env: { ...env, LETHE_API_KEY: key },
    });
  let key = '';
  beforeAll(async () => {
    ({ token: key } = await api.addKey('requests:read', 'requests:write'));
  });

  it('list what could not be read, have it judged again, and count', async () => {
    const file = path.join(cwd, 'without-user.json');
    await writeFile(file, JSON.stringify({ ticket: '77', type: 'Erasure request', user_id: {} }));
    const dry = await answering('test', 'freshdesk', file, '--dry-run');
    expect([dry.status, dry.out]).toEqual([
      1,
      expect.stringContaining('  - userId at /user_id: a text of at most 4096 characters'),
    ]);
    expect((await answering('test', 'freshdesk', file)).out).toMatch(/^stored as wd_[0-9a-f]{32}; /);
    expect((await answering('test', 'freshdesk', file)).out).toContain('repeated');
    const deadline = Date.now() + 20_000;
    while (!(await answering('deliveries', '--source', 'freshdesk')).out.includes('- userId at /user_id')) {
      if (Date.now() > deadline) throw new Error('not listed');
      await sleep(25);
    }
    const [listed] = jsonLines((await answering('deliveries', '--json')).out);
    expect(listed).toMatchObject({
      state: 'unmappable',
      problems: [{ field: 'userId', pointers: ['/user_id'] }],
    });
    expect((await answering('judge', '--source', 'freshdesk')).out).toMatch(/^1 delivery is judged again/);
    expect((await answering('sources')).out).toMatch(/freshdesk +shared-secret/);
  });

  it.each([
    [['test', 'nobody', 'x.json'], 2, 'Expected a source of intake.sources'],
    [['test', 'freshdesk', 'gone.json'], 2, 'cannot be read'],
    [['judge'], 2, 'the id of a delivery, or --source'],
    [['judge', `wd_${'0'.repeat(32)}`], 3, 'There is no delivery'],
  ])('%j end with %i', async (args, status, said) => {
    const result = await answering(...args);
    expect([result.status, result.err]).toEqual([status, expect.stringContaining(said)]);
  });

  it('say so when the API does not take the secret', async () => {
    const secret = randomBytes(32).toString('hex');
    const result = await lethe(
      [
        'webhook',
        'test',
        'freshdesk',
        path.join(FIXTURES, 'freshdesk.json'),
        '--url',
        `http://127.0.0.1:${api.port}`,
      ],
      { cwd, env: { ...env, FRESHDESK_SECRET: secret } },
    );
    expect([result.status, result.err]).toEqual([
      1,
      expect.stringContaining('signed just now and with its secret'),
    ]);
    expect(result.err + result.out).not.toContain(secret);
  });

  it('say so when nothing answers', async () => {
    const args = ['test', 'freshdesk', path.join(FIXTURES, 'freshdesk.json'), '--url', 'http://127.0.0.1:1'];
    expect((await webhook(...args)).status).toBe(69);
  });
});
