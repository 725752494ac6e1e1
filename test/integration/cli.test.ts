import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import stringWidth from 'string-width';
import { z } from 'zod';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { unzipped } from '../support/access.ts';
import { jsonLines, lethe as call, type CliWorld } from '../support/cli.ts';
import { PROGRAMS, startLethe, writeConfig, type LetheProcess } from '../support/lethe-process.ts';
import { createTestDatabase, createTestFolder, type TestDatabase } from '../support/postgres.ts';
import { PROJECT } from '../support/stage.ts';

/** Part of every identifier here: no output may hold it. */
const PERSON = 'jane.roe';

let database: TestDatabase;
let sandbox: Sandbox;
let service: LetheProcess;
let folder: string;
let env: Record<string, string>;

const listening = z.object({ port: z.number() });

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await createTestFolder();
  sandbox = createSandbox({ personality: 'real', token: 'cli-token', jobDelayMs: 80, analyticsLagMs: 1 });
  sandbox.addProject(PROJECT);
  const config = await writeConfig(folder, {
    databaseUrl: database.serviceUrl,
    openReplayUrl: await sandbox.start(),
    masterKey: randomBytes(32),
    token: 'cli-token',
  });
  service = startLethe('all', config);
  const made = await call(['keys', 'create', '--name', 'cli', '--scope', 'admin', '--json'], { env: config });
  const [{ token }] = z.tuple([z.object({ token: z.string() })]).parse(jsonLines(made.out));
  const said = await service.says('the API listens');
  const line = said.split('\n').find((text) => text.includes('the API listens')) ?? '';
  const { port } = listening.parse(JSON.parse(line));
  env = { ...config, LETHE_URL: `http://127.0.0.1:${port}`, LETHE_API_KEY: token };
});
afterAll(async () => {
  await service.stop();
  await sandbox.stop();
  await database.drop();
});

/** Calls the command against the service. Throws when an output names a person. */
async function lethe(argv: readonly string[], world: CliWorld = {}) {
  const result = await call(argv, { cwd: folder, ...world, env: { ...env, ...world.env } });
  if (`${result.out}${result.err}`.includes(PERSON)) throw new Error(`${argv.join(' ')} names a person`);
  return result;
}

const shown = z.looseObject({ id: z.string(), state: z.string() });

async function submit(userId: string, ...more: string[]): Promise<string> {
  const argv = ['requests', 'create', '--user-id', '-', '--project', PROJECT, '--json', ...more];
  const { status, out } = await lethe(argv, { stdin: `${userId}\n` });
  expect(status).toBe(0);
  return shown.parse(jsonLines(out)[0]).id;
}

describe('requests', () => {
  it('are taken in from standard input and followed until they are completed', async () => {
    const userId = `${PERSON} +1`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
    const argv = [
      'requests',
      'create',
      '--user-id',
      '-',
      '--project',
      PROJECT,
      '--reference',
      'DSR-1',
      '--follow',
    ];
    const { status, out, err } = await lethe(argv, { stdin: `${userId}\n` });
    expect(status).toBe(0);
    expect(out).toMatch(/^er_[0-9a-f]{32} {2}completed\n/);
    expect(out).toContain('DSR-1');
    expect(out).toMatch(/^stageProject0{8} {2}erased/m);
    expect(err).toMatch(/^\d\d:\d\d:\d\dZ {2}completed, 1 of 1 projects erased$/m);
    expect(sandbox.hasUser(PROJECT, userId)).toBe(false);

    const late = await lethe(['requests', 'cancel', out.slice(0, 35), '--json']);
    expect(late.status).toBe(1);
    expect(jsonLines(late.out)).toMatchObject([{ error: { code: 'REQUEST_CLOSED' } }]);
  });

  it('are taken in from a file, and every change of theirs is a line of JSON while they are followed', async () => {
    const userId = `${PERSON}@example.org`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 1 });
    await writeFile(path.join(folder, 'user.txt'), `\ufeff${userId}\r\n`);
    const argv = ['requests', 'create', '--user-id-file', 'user.txt', '--project', PROJECT, '--json'];
    const created = jsonLines((await lethe(argv)).out);
    expect(created).toHaveLength(1);
    const { id } = shown.parse(created[0]);
    const followed = await lethe(['requests', 'follow', id, '--json', '--every', '0.03']);
    expect(followed).toMatchObject({ status: 0, err: '' });
    const states = z
      .array(shown)
      .parse(jsonLines(followed.out))
      .map(({ state }) => state);
    expect(states.at(-1)).toBe('completed');
    expect(states.slice(0, -1)).not.toContain('completed');
    expect(sandbox.hasUser(PROJECT, userId)).toBe(false);
  });

  it('that need a person end the following with status 4, and what was never sent is said', async () => {
    const id = await submit(`../${PERSON}`);
    const { status, out } = await lethe(['requests', 'follow', id]);
    expect(status).toBe(4);
    expect(out).toContain(`${id}  needs_attention`);
    expect(out).toContain('privacy team');
  });

  it('are previewed without being taken in, and by e-mail address go to every connection', async () => {
    const email = `${PERSON}@mail.example`;
    sandbox.addUser({ projectKey: PROJECT, userId: 'by mail', email, sessions: 3 });
    const { status, out } = await lethe(['requests', 'preview', '--email', '-', '--json'], { stdin: email });
    expect(status).toBe(0);
    expect(jsonLines(out)).toMatchObject([{ found: 1, users: [{ sessions: 3 }] }]);
    expect((await lethe(['requests', 'preview', '--email', '-'], { stdin: email })).out).toContain(
      'found: 1',
    );
    const argv = ['requests', 'create', '--email', '-', '--expect-tasks', '1', '--follow'];
    const created = await lethe(argv, { stdin: email });
    expect(created.status).toBe(0);
    expect(created.out).toMatch(/^ {2}due {9}\d{4}-\d\d-\d\d$/m);
    expect(sandbox.sessionCount(PROJECT, 'by mail')).toBe(0);
  });

  it('that are due are listed with who acts next, in 80 columns', async () => {
    const id = await submit(`../${PERSON}-due`, '--reference', 'DSR due');
    const json = await lethe(['deadlines', '--days', '60', '--json']);
    expect(json.status).toBe(0);
    expect(jsonLines(json.out)).toContainEqual(
      expect.objectContaining({ id, status: 'due_soon', reference: 'DSR due' }),
    );
    const { out } = await lethe(['deadlines', '--days', '60']);
    expect(out).toMatch(new RegExp(`due soon +${id} +privacy team +DSR due`));
    for (const line of out.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    expect((await lethe(['deadlines', '--days', '0'])).out).toBe('none\n');
  });

  it('that are cancelled end it with status 1', async () => {
    sandbox.faults.hangJobs = { userIds: new Set([`${PERSON}-hangs`]) };
    sandbox.addUser({ projectKey: PROJECT, userId: `${PERSON}-hangs`, sessions: 1 });
    const id = await submit(`${PERSON}-hangs`);
    expect((await lethe(['requests', 'cancel', id])).status).toBe(0);
    expect((await lethe(['requests', 'follow', id, '--every', '0.05'])).status).toBe(1);
  });

  it('are shown in tables of 80 columns, with colours only on a terminal that wants them', async () => {
    const id = await submit(`../${PERSON}`, '--reference', 'a long reference '.repeat(8).trim());
    const list = await lethe(['requests', 'list', '--state', 'needs_attention']);
    expect(list.out).toContain(id);
    for (const line of list.out.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    const plain = await lethe(['requests', 'show', id]);
    for (const line of plain.out.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    expect(plain.out).not.toContain('\u001b');
    expect((await lethe(['requests', 'show', id], { terminal: true })).out).toContain('\u001b[31m');
    const uncoloured = await lethe(['requests', 'show', id], { terminal: true, env: { NO_COLOR: '1' } });
    expect(uncoloured.out).not.toContain('\u001b');
  });

  it('show a bar that moves on a terminal', async () => {
    const userId = `${PERSON}-watched`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 1 });
    const id = await submit(userId);
    const { status, err } = await lethe(['requests', 'follow', id, '--every', '0.05'], { terminal: true });
    expect(status).toBe(0);
    expect(err).toContain('█'.repeat(24));
    expect(err).toContain('completed, 1 of 1 projects erased');
  });

  it('are listed over pages, and events too, one JSON value a line', async () => {
    const all = await lethe(['requests', 'list', '--all', '--json']);
    const ids = z
      .array(shown)
      .parse(jsonLines(all.out))
      .map(({ id }) => id);
    expect(ids.length).toBeGreaterThanOrEqual(2);
    expect(new Set(ids).size).toBe(ids.length);
    const two = await lethe(['requests', 'list', '--limit', '2', '--json']);
    expect(
      z
        .array(shown)
        .parse(jsonLines(two.out))
        .map(({ id }) => id),
    ).toEqual(ids.slice(0, 2));
    const events = await lethe(['requests', 'events', ids.at(-1) ?? '', '--json']);
    const seqs = z.array(z.looseObject({ seq: z.number() })).parse(jsonLines(events.out));
    expect(seqs.map(({ seq }) => seq)).toEqual(seqs.map((_, index) => index));
    expect((await lethe(['requests', 'events', ids.at(-1) ?? ''])).out).toMatch(/^0 .*request\.received/m);
  });

  it('tell whom they are about only when asked for the subject, which leaves an event', async () => {
    const id = await submit(`../${PERSON}-shown`);
    const { status, out } = await call(['requests', 'subject', id, '--json'], { env });
    expect(status).toBe(0);
    expect(jsonLines(out)).toMatchObject([{ userId: `../${PERSON}-shown` }]);
    expect((await lethe(['requests', 'events', id])).out).toContain('subject.read');
  });

  it('give the access package once, as a file of its owner alone', async () => {
    const userId = `${PERSON}-asks`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
    const id = await submit(userId, '--type', 'access');
    const file = path.join(folder, 'package.zip');
    const argv = ['requests', 'package', id, '--out', 'package.zip'];
    expect((await lethe(argv)).err).toContain('There is no access package');
    await lethe(['requests', 'verify-identity', id, '--method', 'document']);
    const followed = await lethe(['requests', 'follow', id, '--every', '0.05']);
    expect(followed.out).toContain('ready until');
    expect((await lethe(argv)).status).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const files = await unzipped(await readFile(file));
    expect([...files.keys()]).toEqual([
      'manifest.json',
      '001/user.json',
      '001/sessions.ndjson',
      '001/events.ndjson',
    ]);
    expect(await lethe(argv)).toMatchObject({ status: 2 });
    const again = await lethe(['requests', 'package', id, '--out', 'again.zip', '--json']);
    expect(jsonLines(again.out)).toMatchObject([{ error: { code: 'PACKAGE_GONE', exitStatus: 1 } }]);
    await expect(stat(path.join(folder, 'again.zip.part'))).rejects.toThrow('ENOENT');
  });

  it('give the certificate, as JSON and as PDF', async () => {
    const userId = `${PERSON}-certified`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 1 });
    const id = await submit(userId);
    await lethe(['requests', 'follow', id, '--every', '0.05']);
    const argv = ['requests', 'certificate', id, '--out', 'certificate.json', '--pdf', 'certificate.pdf'];
    let written = await lethe(argv);
    // Its last events wait for the sealer.
    while (written.err.includes('try again')) written = await lethe(argv);
    const files = ['certificate.json', 'certificate.pdf'].map((name) => path.join(folder, name));
    expect(written).toMatchObject({ status: 0, out: `${files.join('\n')}\n` });
    const [json, pdf] = await Promise.all(files.map((file) => readFile(file, 'latin1')));
    expect(JSON.parse(json ?? '')).toMatchObject({ certificate: { number: id } });
    expect(pdf?.slice(0, 8)).toBe('%PDF-1.7');
    expect(pdf).toContain(`Erasure certificate ${id}`);
    expect((await stat(files[1] ?? '')).mode & 0o777).toBe(0o600);
    const nowhere = await lethe(['requests', 'certificate', id, '--pdf', 'no/such/folder.pdf']);
    expect(nowhere).toMatchObject({ status: 2, err: expect.stringContaining('--pdf') });
  });

  it('stop being followed when somebody interrupts', async () => {
    sandbox.faults.hangJobs = { userIds: new Set([`${PERSON}-slow`]) };
    sandbox.addUser({ projectKey: PROJECT, userId: `${PERSON}-slow`, sessions: 1 });
    const id = await submit(`${PERSON}-slow`);
    const controller = new AbortController();
    const following = lethe(['requests', 'follow', id], { interrupted: controller.signal });
    controller.abort();
    expect((await following).status).toBe(130);
  });
});

describe('what goes wrong has a status of its own', () => {
  const NOBODY = `er_${'0'.repeat(32)}`;

  it('3 for what is not there', async () => {
    const { status, err } = await lethe(['requests', 'show', NOBODY]);
    expect(status).toBe(3);
    expect(err).toContain('There is no such erasure request');
  });

  it('77 for a key that is wrong, or lacks the scope', async () => {
    const wrong = await lethe(['requests', 'list'], { env: { LETHE_API_KEY: 'lethe_wrong' } });
    expect(wrong.status).toBe(77);
    const made = await lethe(['keys', 'create', '--name', 'reader', '--scope', 'requests:read']);
    const keyFile = path.join(folder, 'reader-key');
    await writeFile(keyFile, made.out);
    const reading = await lethe(['requests', 'list', '--key-file', keyFile]);
    expect(reading.status).toBe(0);
    const writing = await lethe(['requests', 'cancel', NOBODY, '--key-file', 'reader-key', '--json']);
    expect(writing.status).toBe(77);
    expect(jsonLines(writing.out)).toMatchObject([{ error: { code: 'SCOPE_MISSING', exitStatus: 77 } }]);
  });

  it('1 for what the API refuses, with every field that it names', async () => {
    const argv = [
      'requests',
      'create',
      '--user-id',
      'x',
      '--received-at',
      'yesterday',
      '--connection',
      'other',
    ];
    const { status, err } = await lethe(argv);
    expect(status).toBe(1);
    expect(err).toContain('/receivedAt: expected');
  });

  it('78 for a configuration with mistakes', async () => {
    const { status, out } = await lethe(['keys', 'list', '--json'], {
      env: { TEST_MASTER_KEY: 'short' },
    });
    expect(status).toBe(78);
    expect(jsonLines(out)).toMatchObject([{ error: { code: 'CONFIG_INVALID' } }]);
  });

  it('69 for a database that is away', async () => {
    const gone = { TEST_DB: 'postgres://x:secret@127.0.0.1:1/x' };
    const { status, err } = await lethe(['keys', 'list'], { env: gone });
    expect(status).toBe(69);
    expect(err).not.toContain('secret');
  });
});

describe('as a process of its own', () => {
  it('lists requests as a script would, and takes it well when nobody reads on', async () => {
    const program = path.join(import.meta.dirname, '..', '..', PROGRAMS.lethe);
    const child = spawn(process.execPath, [program, 'requests', 'list', '--json'], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
    // Nobody reads: what it writes meets a closed pipe.
    child.stdout.destroy();
    const [status] = z.tuple([z.number().nullable(), z.unknown()]).parse(await once(child, 'close'));
    expect({ status, err }).toEqual({ status: 0, err: '' });
  });

  it('ends with the status of what it found', async () => {
    const lost = startLethe('lethe', env, { args: ['requests', 'show', `er_${'0'.repeat(32)}`] });
    expect(await lost.ended()).toBe(3);
    expect(lost.output()).toContain('There is no such erasure request');
  });
});

describe('connections', () => {
  it('are paused and resumed, and the list says who waits for what', async () => {
    const [first] = jsonLines((await lethe(['connections', 'list', '--json'])).out);
    expect(first).toMatchObject({ name: 'default', state: 'open' });
    const paused = await lethe(['connections', 'pause', 'default', '--reason', 'server upgrade', '--json']);
    expect([paused.status, jsonLines(paused.out)]).toMatchObject([0, [{ state: 'paused' }]]);
    expect((await lethe(['connections', 'list'])).out).toMatch(/default +paused .*server upgrade/);
    const resumed = await lethe(['connections', 'resume', 'default', '--reason', 'done', '--json']);
    expect(jsonLines(resumed.out)).toMatchObject([{ state: 'open' }]);
    expect((await lethe(['connections', 'pause', 'other', '--reason', 'x'])).status).toBe(3);
    expect((await lethe(['connections', 'pause', 'default'])).status).toBe(2);
  });
});
