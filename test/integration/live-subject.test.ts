import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RequestView } from '../../src/app/request-schema.ts';
import type { Edition } from '../../src/sandbox/options.ts';
import { eventually } from '../support/dispatching.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';

/** What a subject writes after the deletion has run would stay, so who is live is waited for: an hour here. */
const HOUR_MS = 3_600_000;
const [backend] = queueBackends();

let stage: Stage;
async function open(edition: Edition): Promise<void> {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({
    backend,
    sandbox: { edition, jobDelayMs: 40, analyticsLagMs: 1 },
    pace: { waitForLiveMs: HOUR_MS },
  });
}
const close = () => stage.close();

const isWaiting = ({ waiting }: RequestView) => waiting?.reason === 'subject_live';
const asked = (userId: string) =>
  stage.sandbox.deletionsAsked.filter((deletion) => deletion.userId === userId).length;

/** As if the time of the next look had come; waits while a worker still writes what it saw. */
async function lookNow(requestId: string): Promise<void> {
  const sql = 'UPDATE work SET run_at = now() WHERE request_id = $1 AND lease IS NULL';
  while ((await stage.database.pool.query(sql, [requestId])).rowCount === 0) await sleep(5);
}

async function completed(id: string): Promise<readonly string[]> {
  const view = await stage.settled(id);
  const events = await stage.trail(id);
  checkTrail(view, events);
  expect(view.state).toBe('completed');
  return events.map((event) => event.type);
}

describe('on a server with live sessions, a subject', () => {
  beforeAll(() => open('enterprise'));
  afterAll(close);

  it('who is live is waited for until the session ends', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'tab open', sessions: 1, live: 1 });
    const { id } = await stage.submit('tab open');
    const view = await stage.until(id, isWaiting);
    expect(view).toMatchObject({ state: 'erasing', tasks: [{ state: 'pending', rounds: [] }] });
    expect(view.waiting).toMatchObject({ actsNext: 'lethe' });

    // Still live at the next look: it goes on waiting, and is not told of twice.
    const looks = stage.sandbox.calls.listLiveSessions;
    await lookNow(id);
    await eventually(() => stage.sandbox.calls.listLiveSessions > looks);
    stage.sandbox.endLiveSessions(PROJECT, 'tab open');
    expect(asked('tab open')).toBe(0);
    await lookNow(id);
    const types = await completed(id);
    expect(types.filter((type) => type === 'task.subject_live')).toHaveLength(1);
    expect(types.indexOf('task.subject_live')).toBeLessThan(types.indexOf('task.submission_intended'));
    // The session that was live is gone as well: nothing was left behind.
    expect(stage.sandbox.sessionCount(PROJECT, 'tab open')).toBe(0);
  });

  it('who stays live is waited for no longer than the configured time', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'never leaves', sessions: 1, live: 1 });
    const { id } = await stage.submit('never leaves');
    await stage.until(id, isWaiting);
    const sql = `UPDATE tasks SET live_since = live_since - interval '${HOUR_MS} milliseconds' WHERE request_id = $1`;
    await stage.database.pool.query(sql, [id]);
    await lookNow(id);
    await completed(id);
    expect(asked('never leaves')).toBe(1);
  });

  it.each([
    ['while another is', () => undefined],
    [
      'as far as anybody knows: the server fails',
      () => {
        stage.sandbox.script('listLiveSessions', 'errors500');
      },
    ],
  ])('who is not live is not waited for, %s', async (what, prepare) => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: `somebody else ${what}`, sessions: 1, live: 1 });
    stage.sandbox.addUser({ projectKey: PROJECT, userId: `away ${what}`, sessions: 1 });
    prepare();
    const { id } = await stage.submit(`away ${what}`);
    expect(await completed(id)).not.toContain('task.subject_live');
  });
});

describe('on a server without live sessions', () => {
  beforeAll(() => open('community'));
  afterAll(close);

  it('nothing is kept waiting, and it is not asked again for every request', async () => {
    for (const userId of ['first', 'second']) {
      stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 1, live: 1 });
      const { id } = await stage.submit(userId);
      expect(await completed(id)).not.toContain('task.subject_live');
    }
    expect(stage.sandbox.calls.listLiveSessions).toBe(1);
  });
});
