import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';

const KEY = 'abcdefghij0123456789';
const DAY = 86_400_000;
const NOON = 20_000 * DAY + DAY / 2;
const MIDNIGHT = 20_001 * DAY;
const open: Sandbox[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((sandbox) => sandbox.stop()));
});

const row = z.looseObject({
  jobId: z.union([z.number(), z.string()]).optional(),
  startTs: z.number().optional(),
  $user_id: z.string().optional(),
});
const content = z
  .looseObject({
    ...{
      total: z.number(),
      startAt: z.number(),
      status: z.string(),
      jobId: z.unknown(),
      errors: z.unknown(),
    },
    ...{ $user_id: z.string(), referenceId: z.string(), projectKey: z.string() },
    ...{ sessions: z.array(row).nullable(), users: z.array(row), events: z.array(row) },
  })
  .partial();
/** What the tests look into, of answers of every shape: `{data: {...}}` is `data`, `{data: [...]}` is `rows`. */
interface Read {
  readonly data: z.infer<typeof content>;
  readonly rows: readonly z.infer<typeof row>[];
}
const answer = z.object({ data: z.union([z.array(row), content]) });

function read(json: unknown): Read {
  const { data = {} } = answer.safeParse(json).data ?? {};
  return Array.isArray(data) ? { data: {}, rows: data } : { data, rows: [] };
}

function parse(text: string): unknown {
  const json: unknown = /^[[{]/.test(text) ? JSON.parse(text) : text;
  return json;
}

interface Reply extends Read {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}
type Ask = (method: string, path: string, body?: unknown) => Promise<Reply>;
interface Opened {
  readonly sandbox: Sandbox;
  readonly ask: Ask;
  readonly clock: { now: number };
  readonly remove: (userId: string) => ReturnType<Ask>;
}

/** A sandbox whose time stands still unless the test moves `clock.now`. */
async function opened(options: Partial<SandboxOptions> = {}): Promise<Opened> {
  const clock = { now: NOON };
  const sandbox = createSandbox({ personality: 'real', token: 'key', now: () => clock.now, ...options });
  open.push(sandbox);
  sandbox.addProject(KEY);
  const url = await sandbox.start();
  const ask: Ask = async (method, path, body) => {
    const init = {
      method,
      headers: { authorization: 'Bearer key' },
      body: body === undefined ? null : JSON.stringify(body),
    };
    const response = await fetch(`${url}/public/${KEY}${path}`, { ...init, redirect: 'manual' });
    const json = parse(await response.text());
    return { status: response.status, json, headers: response.headers, ...read(json) };
  };
  return { sandbox, ask, clock, remove: (userId) => ask('DELETE', `/users/${encodeURIComponent(userId)}`) };
}

describe('time', () => {
  it('schedules for the next midnight and runs a quarter of an hour after it', async () => {
    const { sandbox, ask, clock, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 2 });
    const { data } = await remove('u');
    expect(data).toEqual({
      ...{ jobId: 1, status: 'scheduled', projectId: 1, referenceId: 'u', action: 'delete_user_data' },
      ...{ description: 'Delete user sessions of userId = u', createdAt: NOON, startAt: MIDNIGHT },
      ...{ updatedAt: null, errors: null },
    });
    clock.now = MIDNIGHT + 15 * 60_000 - 1;
    expect(sandbox.runDueJobs()).toBe(0);
    clock.now += 1;
    expect(sandbox.runDueJobs()).toBe(1);
    const after = (await ask('GET', '/jobs/1')).data;
    expect(after).toMatchObject({
      status: 'completed',
      updatedAt: clock.now,
      startAt: MIDNIGHT,
      errors: null,
    });
    expect(sandbox.sessionCount(KEY, 'u')).toBe(0);
  });

  it('wakes at 01:05 in the Enterprise Edition, and a missed run waits a further day', async () => {
    const { sandbox, clock, remove } = await opened({ edition: 'enterprise' });
    await remove('u');
    sandbox.faults.missedRuns = 1;
    clock.now = MIDNIGHT + 64 * 60_000;
    expect(sandbox.runDueJobs()).toBe(0);
    expect(sandbox.faults.missedRuns).toBe(1);
    clock.now = MIDNIGHT + 65 * 60_000;
    expect(sandbox.runDueJobs()).toBe(0);
    expect(sandbox.faults.missedRuns).toBe(0);
    clock.now += DAY - 1;
    expect(sandbox.runDueJobs()).toBe(0);
    clock.now += 1;
    expect(sandbox.runDueJobs()).toBe(1);
  });

  it.each(['real', 'contract'] as const)('runs by itself in the %s personality', async (personality) => {
    const { sandbox, ask, remove } = await opened({ personality, dayMs: 200, now: Date.now });
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 2, live: 1 });
    const { data } = await remove('u');
    if (personality === 'real') expect(Number(data.startAt) % 200).toBe(0);
    for (let n = 0; n < 200 && sandbox.erased.length === 0; n += 1) await delay(10);
    expect(sandbox.erased).toMatchObject([{ projectKey: KEY, userId: 'u' }]);
    expect((await ask('GET', `/jobs/${String(data.jobId)}`)).data.status).toBe('completed');
    expect([sandbox.sessionCount(KEY, 'u'), sandbox.liveCount(KEY, 'u')]).toEqual([0, 0]);
  });

  it('runs after jobDelayMs where that is given', async () => {
    const { sandbox, clock, remove } = await opened({ jobDelayMs: 50 });
    expect((await remove('u')).data.startAt).toBe(NOON + 50);
    clock.now += 50;
    expect(sandbox.runDueJobs()).toBe(1);
  });

  it('refuses a day that is no length of time', () => {
    for (const dayMs of [0, -1, NaN, Infinity]) {
      expect(() => createSandbox({ personality: 'real', token: 'key', dayMs })).toThrow(RangeError);
    }
  });
});

describe('jobs of the real personality', () => {
  it('takes unknown users, and refuses a second active job without its id', async () => {
    const { sandbox, remove } = await opened();
    expect((await remove('nobody')).status).toBe(200);
    const second = await remove('nobody');
    expect([second.status, second.json]).toEqual([409, { error: expect.any(String) }]);
    sandbox.runAllJobs();
    expect(sandbox.jobs(KEY)).toMatchObject([{ status: 'completed' }]);
    expect((await remove('nobody')).status).toBe(200);
    expect(sandbox.deletionsAsked).toHaveLength(2);
    expect([sandbox.erased, sandbox.maxActiveJobsPerUser]).toEqual([[], 1]);
  });

  it('deletes at most 1,000 sessions a job, the oldest, and reports completed', async () => {
    const { sandbox, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1001 });
    await remove('u');
    sandbox.runAllJobs();
    expect([sandbox.sessionCount(KEY, 'u'), sandbox.jobs(KEY)[0]?.status, sandbox.erased]).toEqual([
      1,
      'completed',
      [],
    ]);
    await remove('u');
    sandbox.runAllJobs();
    expect([sandbox.sessionCount(KEY, 'u'), sandbox.erased.length]).toEqual([0, 1]);
  });

  it('covers sessions recorded before the run, and not those recorded after it', async () => {
    const { sandbox, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1 });
    await remove('u');
    sandbox.addSession({ projectKey: KEY, userId: 'u' });
    sandbox.runAllJobs();
    expect(sandbox.sessionCount(KEY, 'u')).toBe(0);
    sandbox.addSession({ projectKey: KEY, userId: 'u' });
    sandbox.runAllJobs();
    expect(sandbox.sessionCount(KEY, 'u')).toBe(1);
  });

  it('keeps the user record in its other store for a while', async () => {
    const { sandbox, ask, clock, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1 });
    await remove('u');
    sandbox.runAllJobs();
    clock.now += DAY / 100 - 1;
    expect((await ask('GET', '/users/u')).status).toBe(200);
    expect((await ask('POST', '/users', { query: 'u' })).data.total).toBe(1);
    clock.now += 1;
    expect((await ask('POST', '/users', { query: 'u' })).data.total).toBe(0);
    expect((await ask('GET', '/users/u')).status).toBe(404);
    expect([sandbox.hasUser(KEY, 'u'), sandbox.userIds(KEY)]).toEqual([false, []]);
    sandbox.addSession({ projectKey: KEY, userId: 'u' });
    expect(sandbox.hasUser(KEY, 'u')).toBe(true);
  });

  it('keeps it for ever when the lag is infinite', async () => {
    const { sandbox, clock, remove } = await opened({ analyticsLagMs: Infinity });
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1 });
    await remove('u');
    sandbox.runAllJobs();
    clock.now += 1000 * DAY;
    expect([sandbox.hasUser(KEY, 'u'), sandbox.erased.length]).toEqual([true, 1]);
  });

  it('lists newest first, without a total, with a limit that falls back to 50', async () => {
    const { ask, remove } = await opened();
    for (let n = 1; n <= 55; n += 1) await remove(`u${n}`);
    const ids = async (query: string): Promise<number[]> => {
      const { rows } = await ask('GET', `/jobs${query}`);
      return rows.map(({ jobId }) => Number(jobId));
    };
    expect((await ids('?limit=3')).join()).toBe('55,54,53');
    expect((await ids('?limit=3&page=2')).join()).toBe('52,51,50');
    expect((await ids('?limit=50&page=2')).join()).toBe('5,4,3,2,1');
    expect(await ids('?limit=50&page=3')).toEqual([]);
    for (const query of ['', '?limit=0', '?limit=201', '?limit=x', '?page=0'])
      expect(await ids(query)).toHaveLength(50);
    expect(await ids('?limit=200')).toHaveLength(55);
  });

  it('cancels once, not what has completed, and turns failed into cancelled', async () => {
    const { sandbox, ask, remove } = await opened();
    await remove('a');
    expect((await ask('DELETE', '/jobs/1')).data.status).toBe('cancelled');
    expect((await ask('DELETE', '/jobs/1')).status).toBe(400);
    sandbox.runAllJobs();
    expect(sandbox.jobs(KEY)[0]?.status).toBe('cancelled');
    await remove('a');
    sandbox.runAllJobs();
    expect((await ask('DELETE', '/jobs/2')).status).toBe(400);
    sandbox.faults.failFirstJob = 1;
    await remove('b');
    sandbox.runAllJobs();
    expect(sandbox.jobs(KEY)[2]?.status).toBe('failed');
    expect((await ask('DELETE', '/jobs/3')).data.status).toBe('cancelled');
    expect((await ask('DELETE', '/jobs/4')).status).toBe(404);
  });

  it('may complete a cancelled job', async () => {
    const { sandbox, ask, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1 });
    sandbox.faults.completesAfterCancel = true;
    await remove('u');
    expect((await ask('DELETE', '/jobs/1')).data.status).toBe('cancelled');
    sandbox.runAllJobs();
    expect([sandbox.jobs(KEY)[0]?.status, sandbox.erased.length]).toEqual(['completed', 1]);
  });

  it('never says running, even while a job is picked up', async () => {
    const { sandbox, ask, clock, remove } = await opened({ runningMs: 1000 });
    await remove('u');
    clock.now = MIDNIGHT + 15 * 60_000;
    expect(sandbox.runDueJobs()).toBe(0);
    expect((await ask('GET', '/jobs/1')).data.status).toBe('scheduled');
    clock.now += 1000;
    expect(sandbox.runDueJobs()).toBe(1);
  });
});

describe('jobs of the contract personality', () => {
  it('passes through running, and deletes everything in one job', async () => {
    const { sandbox, ask, clock, remove } = await opened({ personality: 'contract' });
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 2500, live: 2 });
    expect((await remove('u')).data).toEqual({ jobId: '1', status: 'scheduled', createdAt: NOON });
    clock.now = MIDNIGHT + 65 * 60_000;
    sandbox.runDueJobs();
    expect((await ask('GET', '/jobs/1')).data.status).toBe('running');
    expect(sandbox.sessionCount(KEY, 'u')).toBe(2500);
    clock.now += 60_000;
    sandbox.runDueJobs();
    expect((await ask('GET', '/jobs/1')).data.status).toBe('completed');
    expect([sandbox.hasUser(KEY, 'u'), sandbox.sessionCount(KEY, 'u')]).toEqual([false, 0]);
    expect((await ask('GET', '/users/u')).status).toBe(404);
    expect((await remove('u')).status).toBe(404);
    expect((await ask('GET', '/assist/sessions')).data.total).toBe(0);
  });

  it('counts jobs of one user that are active together, and forgets a running job that is cancelled', async () => {
    const { sandbox, ask, clock, remove } = await opened({ personality: 'contract' });
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1 });
    await remove('u');
    await remove('u');
    expect(sandbox.maxActiveJobsPerUser).toBe(2);
    clock.now = MIDNIGHT + 65 * 60_000;
    sandbox.runDueJobs();
    for (const job of ['1', '2']) await ask('DELETE', `/jobs/${job}`);
    expect(sandbox.runAllJobs()).toBe(0);
    expect(sandbox.sessionCount(KEY, 'u')).toBe(1);
  });
});

describe('faults of jobs', () => {
  it('fails the first run of a user, after deleting a part, and not the second', async () => {
    const { sandbox, ask, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 5 });
    sandbox.faults.failFirstJob = { userIds: new Set(['u']) };
    sandbox.faults.deletedBeforeFailing = 2;
    await remove('u');
    await remove('other');
    sandbox.runAllJobs();
    const { data } = await ask('GET', '/jobs/1');
    expect(data.status).toBe('failed');
    expect(data.errors).toContain('userId = u');
    expect([sandbox.jobs(KEY)[1]?.status, sandbox.sessionCount(KEY, 'u')]).toEqual(['completed', 3]);
    await remove('u');
    sandbox.runAllJobs();
    expect([sandbox.jobs(KEY)[2]?.status, sandbox.sessionCount(KEY, 'u')]).toEqual(['completed', 0]);
  });

  it('lets jobs hang, vanish, and be cancelled by others', async () => {
    const { sandbox, ask, remove } = await opened();
    sandbox.faults.hangJobs = { userIds: new Set(['hang']) };
    sandbox.faults.vanishJobs = { userIds: new Set(['vanish']) };
    sandbox.faults.cancelledByOthers = { userIds: new Set(['cancelled']) };
    for (const userId of ['hang', 'vanish', 'cancelled']) {
      sandbox.addUser({ projectKey: KEY, userId, sessions: 1 });
      expect((await remove(userId)).status).toBe(200);
    }
    sandbox.runAllJobs();
    expect(sandbox.jobs(KEY)).toMatchObject([{ status: 'scheduled' }, { status: 'cancelled' }]);
    expect((await ask('GET', '/jobs/2')).status).toBe(404);
    expect((await ask('GET', '/jobs')).rows).toHaveLength(2);
    expect([(await remove('hang')).status, (await remove('vanish')).status]).toEqual([409, 200]);
    expect(sandbox.erased).toEqual([]);
  });
});

describe('faults of calls', () => {
  it('follows the script first, one call after the other, for its operation only', async () => {
    const { sandbox, ask, remove } = await opened();
    await remove('u');
    sandbox.script('getJob', 'errors500', 2);
    sandbox.script('getJob', 'none');
    sandbox.script('getJob', 'jobHiccup404');
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) statuses.push((await ask('GET', '/jobs/1')).status);
    expect(statuses).toEqual([500, 500, 200, 404, 200]);
    expect(sandbox.calls).toMatchObject({ getJob: 5, deleteUser: 1, listJobs: 0 });
  });

  it('answers 401, pages of HTML, redirects, errors in a 200, and 429 in both forms', async () => {
    const { sandbox, ask } = await opened();
    for (const fault of ['unauthorized', 'htmlErrors', 'redirected', 'errorsIn200', 'rateLimited'] as const) {
      sandbox.script('listJobs', fault);
    }
    expect((await ask('GET', '/jobs')).status).toBe(401);
    const html = await ask('GET', '/jobs');
    expect([html.status, html.headers.get('content-type')]).toEqual([500, 'text/html']);
    expect((await ask('GET', '/jobs')).status).toBe(302);
    const odd = await ask('GET', '/jobs');
    expect([odd.status, odd.json]).toEqual([200, { errors: [expect.any(String)] }]);
    sandbox.faults.retryAfterSeconds = 7;
    const limited = await ask('GET', '/jobs');
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7']);
    sandbox.faults.retryAfterForm = 'date';
    sandbox.faults.rateLimited = { listJobs: 1 };
    const retryAt = Date.parse((await ask('GET', '/jobs')).headers.get('retry-after') ?? '');
    expect(retryAt - Date.now()).toBeGreaterThan(6000);
    expect(retryAt - Date.now()).toBeLessThanOrEqual(8000);
  });

  it('cuts the socket after accepting a delete, or before', async () => {
    const { sandbox, ask, remove } = await opened();
    sandbox.faults.cutAfterDelete = true;
    await expect(remove('u')).rejects.toThrow();
    expect(sandbox.deletionsAsked).toMatchObject([{ userId: 'u' }]);
    expect((await ask('GET', '/jobs')).status).toBe(200);
    sandbox.faults.cutAfterDelete = 0;
    sandbox.faults.cutBefore = { deleteUser: 1 };
    await expect(remove('v')).rejects.toThrow();
    expect(sandbox.deletionsAsked).toHaveLength(1);
  });

  it('never answers until the client gives up, and stops all the same', async () => {
    const { sandbox, remove } = await opened();
    sandbox.script('deleteUser', 'timeouts');
    sandbox.script('deleteUser', 'timeoutsAfter');
    const calls = [remove('u'), remove('v')].map((call) => call.then(() => 'answered').catch(() => 'gone'));
    while (sandbox.calls.deleteUser < 2 || sandbox.deletionsAsked.length < 1) await delay(5);
    expect(await Promise.race([...calls, delay(50, 'waiting')])).toBe('waiting');
    await sandbox.stop();
    expect(await Promise.all(calls)).toEqual(['gone', 'gone']);
    expect(sandbox.deletionsAsked).toHaveLength(1);
  });

  it('is slow when told, and carries nothing out when it is stopped meanwhile', async () => {
    const { sandbox, ask, remove } = await opened();
    sandbox.faults.latencyMs = 60;
    sandbox.script('listJobs', 'slow');
    const before = performance.now();
    expect((await ask('GET', '/jobs')).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(50);
    sandbox.faults.latencyMs = 60_000;
    sandbox.faults.slow = 1;
    const call = remove('u').catch(() => 'gone');
    while (sandbox.calls.deleteUser < 1) await delay(5);
    await sandbox.stop();
    expect([await call, sandbox.deletionsAsked]).toEqual(['gone', []]);
  });

  it('draws the same faults from the same seed', async () => {
    const runs: string[] = [];
    for (const seed of [1, 1, 2]) {
      const { sandbox, ask } = await opened({ seed });
      sandbox.faults.errors500 = 0.5;
      const statuses: number[] = [];
      for (let n = 0; n < 40; n += 1) statuses.push((await ask('GET', '/jobs')).status);
      runs.push(statuses.join());
    }
    expect(runs[0]).toBe(runs[1]);
    expect(runs[0]).not.toBe(runs[2]);
    expect(runs[0]).toMatch(/500/);
    expect(runs[0]).toMatch(/200/);
  });
});

describe('hooks', () => {
  it('are awaited before, between and after, in this order', async () => {
    const { sandbox, remove } = await opened();
    sandbox.addUser({ projectKey: KEY, userId: 'u', sessions: 1 });
    const seen: [string, number][] = [];
    const flushed = new Promise<void>((resolve) => {
      sandbox.onRequest = async ({ phase, operationId, projectKey, userId }) => {
        await delay(5);
        expect([operationId, projectKey, userId]).toEqual(['deleteUser', KEY, 'u']);
        seen.push([phase, sandbox.deletionsAsked.length]);
        if (phase === 'answered') resolve();
      };
    });
    expect((await remove('u')).status).toBe(200);
    await flushed;
    expect(seen).toEqual([
      ['received', 0],
      ['carried_out', 1],
      ['answered', 1],
    ]);
  });

  it('can be left hanging: the job stands, the answer never comes', async () => {
    const { sandbox, remove } = await opened();
    sandbox.onRequest = ({ phase }) => (phase === 'carried_out' ? new Promise(() => undefined) : undefined);
    const call = remove('u').catch(() => 'gone');
    while (sandbox.deletionsAsked.length === 0) await delay(5);
    await sandbox.stop();
    expect(await call).toBe('gone');
  });
});

describe('a sandbox', () => {
  it('can be stopped twice and started again with its state', async () => {
    const { sandbox, remove } = await opened();
    await remove('u');
    await expect(sandbox.start()).rejects.toThrow('already started');
    await sandbox.stop();
    await sandbox.stop();
    const url = await sandbox.start();
    const response = await fetch(`${url}/public/${KEY}/jobs/1`, { headers: { authorization: 'Bearer key' } });
    expect(response.status).toBe(200);
  });

  it('carries 20,000 users: no call looks at all of them', async () => {
    const { sandbox, ask, remove } = await opened();
    for (let n = 0; n < 20_000; n += 1)
      sandbox.addUser({ projectKey: KEY, userId: `user ${n}`, sessions: 3 });
    for (let n = 0; n < 1000; n += 1) await remove(`user ${n}`);
    expect((await ask('GET', '/jobs?limit=200&page=5')).rows).toHaveLength(200);
    expect(sandbox.runAllJobs()).toBe(1000);
    expect(sandbox.erased).toHaveLength(1000);
    // If each call looked at all of them, the runner's own patience would end before this.
  });
});
