import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OPERATION_IDS } from '../../src/sandbox/options.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { jsonLines, lethe as call, type CliWorld } from '../support/cli.ts';
import { PROJECT } from '../support/stage.ts';

const USER = 'jane.roe+1 50%';

let sandbox: Sandbox;
let env: Record<string, string>;
beforeAll(async () => {
  sandbox = createSandbox({ personality: 'contract', token: 'or-token', jobDelayMs: 60_000 });
  sandbox.addProject(PROJECT, 'Shop\u001b[2J');
  sandbox.addUser({ projectKey: PROJECT, userId: USER, sessions: 3 });
  env = { OPENREPLAY_URL: await sandbox.start(), OPENREPLAY_API_KEY: 'or-token' };
});
afterAll(async () => {
  await sandbox.stop();
});

async function openReplay(argv: readonly string[], world: CliWorld = {}) {
  const result = await call(['openreplay', ...argv], { ...world, env: { ...env, ...world.env } });
  expect(`${result.out}${result.err}`).not.toContain('or-token');
  return result;
}

async function json(argv: readonly string[], stdin?: string): Promise<unknown> {
  const { status, out, err } = await openReplay([...argv, '--json'], stdin === undefined ? {} : { stdin });
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const [value, ...more] = jsonLines(out);
  expect(more).toEqual([]);
  return value;
}

const IN_PROJECT = ['--project', PROJECT];
const OF_USER = [...IN_PROJECT, '--user-id', '-'];

describe('lethe openreplay', () => {
  it('reaches each of the 13 operations', async () => {
    expect(await json(['listProjects'])).toMatchObject([{ projectKey: PROJECT }]);
    expect(await json(['getProject', ...IN_PROJECT])).toMatchObject({ projectKey: PROJECT });
    expect(await json(['createProject', '--name', 'Blog', '--platform', 'ios', '--yes'])).toMatchObject({
      name: 'Blog',
      platform: 'ios',
    });
    expect(await json(['searchUsers', ...IN_PROJECT, '--query', '-'], 'jane')).toMatchObject({
      items: [{ userId: USER }],
    });
    expect(await json(['getUser', ...OF_USER], `${USER}\n`)).toMatchObject({
      userId: USER,
      sessionsCount: 3,
    });
    const sessions = await json(
      ['listUserSessions', ...OF_USER, '--limit', '2', '--sort-order', 'asc'],
      USER,
    );
    expect(sessions).toMatchObject({ total: 3, items: [{}, {}] });
    const session = /"sessionId":"([^"]+)"/.exec(JSON.stringify(sessions))?.[1] ?? '';
    expect(
      await json([
        'listSessionEvents',
        ...IN_PROJECT,
        '--session',
        session,
        '--from',
        '2020-01-01',
        '--column',
        'x',
      ]),
    ).toHaveProperty('items');
    expect(await json(['listLiveSessions', ...IN_PROJECT])).toHaveProperty('items');
    expect(await json(['searchLiveSessions', ...IN_PROJECT, '--filter', '{}'])).toHaveProperty('items');
    expect(await json(['deleteUser', ...OF_USER, '--yes'], USER)).toMatchObject({ status: 'scheduled' });
    const [job] = sandbox.jobs(PROJECT);
    const id = ['--job', String(job?.jobId)];
    expect(await json(['listJobs', ...IN_PROJECT])).toMatchObject({ items: [{ jobId: String(job?.jobId) }] });
    expect(await json(['getJob', ...IN_PROJECT, ...id])).toMatchObject({ status: 'scheduled' });
    expect(await json(['cancelJob', ...IN_PROJECT, ...id, '--yes'])).toMatchObject({ status: 'cancelled' });
    for (const operation of OPERATION_IDS)
      expect([operation, sandbox.calls[operation]]).toEqual([operation, 1]);
  });

  it('changes nothing without --yes', async () => {
    const before = { ...sandbox.calls };
    for (const argv of [
      ['deleteUser', ...OF_USER],
      ['cancelJob', ...IN_PROJECT, '--job', '1'],
      ['createProject', '--name', 'x'],
    ]) {
      const { status, err } = await openReplay(argv, { stdin: USER });
      expect(status).toBe(2);
      expect(err).toContain('--yes is needed, as');
    }
    expect(sandbox.calls).toEqual(before);
  });

  it('shows people tables, in which nothing of the server commands the terminal', async () => {
    const { out } = await openReplay(['listProjects']);
    expect(out).toContain(PROJECT);
    expect(out).toContain('Shop\ufffd[2J');
    expect(out).not.toContain('\u001b');
  });

  it.each([
    [['getUser', ...IN_PROJECT, '--user-id', 'nobody'], 3, 'no such thing'],
    [['getUser', ...IN_PROJECT, '--user-id', '../x'], 2, 'userId can never be sent safely'],
    [['getUser', '--project', '../x', '--user-id', 'x'], 2, 'projectKey can never be sent safely'],
    [['listJobs', ...IN_PROJECT, '--connection', 'other'], 2, '--connection: expected one of default'],
  ])('%j ends with status %d', async (argv, status, said) => {
    const result = await openReplay(argv);
    expect(result.status).toBe(status);
    expect(result.err).toContain(said);
  });

  it.each([
    ['unauthorized', 77, 'API key is refused'],
    ['errors500', 69, 'the server failed (500)'],
    ['rateLimited', 69, 'too many calls (429); wait 1 s'],
    ['redirected', 69, 'redirects'],
    ['errorsIn200', 69, 'makes no sense'],
    ['cutBefore', 69, 'no answer'],
  ] as const)('a server that answers with %s has status %d', async (fault, status, said) => {
    sandbox.script('listProjects', fault);
    const { status: got, out, err } = await openReplay(['listProjects', '--json']);
    expect(got).toBe(status);
    expect(err).toContain(said);
    expect(jsonLines(out)).toMatchObject([{ error: { code: 'OPENREPLAY_CALL_FAILED' } }]);
  });

  it('has no configuration, and says so with status 78', async () => {
    const { status } = await openReplay(['listProjects'], { env: { OPENREPLAY_API_KEY: '' } });
    expect(status).toBe(78);
  });
});
