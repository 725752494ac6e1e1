import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cancelRequest } from '../../src/app/cancel-request.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

const MODES = queueBackends().flatMap((backend) =>
  ([1, 2] as const).map((deliveries) => ({
    backend,
    deliveries,
    name: `${backend.name}, delivered ${deliveries}x`,
  })),
);

describe.each(MODES)('an erasure on $name', ({ backend, deliveries }) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage({ backend, deliveries });
  });
  afterAll(async () => {
    await stage.close();
  });

  /** Carries a request through and checks its trail. */
  const carry = async (userId: string, projectKeys?: readonly string[]): Promise<RequestView> => {
    const { id } = await stage.submit(userId, { projectKeys: projectKeys ?? [PROJECT] });
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    return view;
  };
  const asked = (userId: string) =>
    stage.sandbox.deletionsAsked.filter((deletion) => deletion.userId === userId);

  it('is submitted, polled, verified and completed', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'plain', sessions: 7 });
    const view = await carry('plain');
    expect(view).toMatchObject({
      state: 'completed',
      tasks: [
        {
          state: 'erased',
          reported: 'completed',
          rounds: [{ number: 1, adopted: false, sessionsBefore: 7, reported: 'completed' }],
          verification: {
            user: 'absent',
            sessions: 'absent',
            sessionsFound: 0,
            live: 'unavailable',
            liveOffered: false,
          },
        },
      ],
      waiting: null,
    });
    expect(stage.sandbox.hasUser(PROJECT, 'plain')).toBe(false);
    expect(asked('plain')).toHaveLength(1);
  });

  it('takes several rounds for more sessions than one job deletes', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'heavy', sessions: 2500 });
    const view = await carry('heavy');
    expect(view.state).toBe('completed');
    expect(view.tasks[0]?.rounds.map((round) => round.sessionsBefore)).toEqual([2500, 1500, 500]);
    expect(asked('heavy')).toHaveLength(3);
  });

  it('goes to every project of the connection where none is named', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'both', sessions: 1 });
    stage.sandbox.addUser({ projectKey: OTHER_PROJECT, userId: 'both', sessions: 2 });
    const { id } = await stage.submit('both', {});
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view.tasks.map((task) => [task.projectKey, task.state])).toEqual(
      expect.arrayContaining([
        [PROJECT, 'erased'],
        [OTHER_PROJECT, 'erased'],
      ]),
    );
    expect(stage.sandbox.hasUser(OTHER_PROJECT, 'both')).toBe(false);
  });

  it('completes for somebody whom OpenReplay does not know, with what was seen', async () => {
    expect(await carry('nobody')).toMatchObject({
      state: 'completed',
      tasks: [{ rounds: [{ sessionsBefore: 0 }], verification: { user: 'absent', sessions: 'absent' } }],
    });
  });

  it('never sends an id that would reach somebody else, and says so at once', async () => {
    const view = await stage.submit('../users/plain', {});
    expect(view).toMatchObject({
      state: 'needs_attention',
      attention: 'unroutable',
      tasks: [{ state: 'unroutable', unroutable: { reason: 'slash' }, projectKey: null }],
      waiting: { actsNext: 'privacy_team', until: null },
    });
    checkTrail(view, await stage.trail(view.id));
    expect(asked('../users/plain')).toHaveLength(0);
  });

  it('hands a project that OpenReplay does not list to a person, untouched', async () => {
    const view = await carry('plain', ['notListed00000000000']);
    expect(view).toMatchObject({ state: 'needs_attention', attention: 'project_unknown', tasks: [] });
  });

  it('asks anew after a failed job, and flags the storage when that job had deleted rows', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'unlucky', sessions: 9 });
    stage.sandbox.faults.failFirstJob = { userIds: new Set(['unlucky']) };
    stage.sandbox.faults.deletedBeforeFailing = 4;
    const view = await carry('unlucky');
    stage.sandbox.faults.failFirstJob = 0;
    expect(view).toMatchObject({ state: 'completed', tasks: [{ storageCheckNeeded: true }] });
    expect(view.tasks[0]?.rounds.map((round) => [round.reported, round.sessionsBefore])).toEqual([
      ['failed', 9],
      ['completed', 5],
    ]);
  });

  it('adopts the job whose answer was lost, and never asks twice', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'cut', sessions: 3 });
    stage.sandbox.script('deleteUser', 'cutAfterDelete');
    const view = await carry('cut');
    expect(view).toMatchObject({
      state: 'completed',
      tasks: [{ rounds: [{ adopted: true, reported: 'completed' }] }],
    });
    expect(asked('cut')).toHaveLength(1);
  });

  it('adopts the job that a 409 speaks of: two requests for one person, one job', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'twice', sessions: 3 });
    const [first, second] = await Promise.all([stage.submit('twice'), stage.submit('twice')]);
    const views = [await stage.settled(first.id), await stage.settled(second.id)];
    for (const view of views) {
      checkTrail(view, await stage.trail(view.id));
      expect(view.state).toBe('completed');
    }
    expect(stage.sandbox.maxActiveJobsPerUser).toBe(1);
  });

  it('outlasts errors, refusals, time-outs and floods, each on record', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'stormy', sessions: 2 });
    stage.sandbox.script('listUserSessions', 'errors500', 2);
    stage.sandbox.script('deleteUser', 'unauthorized', 2);
    stage.sandbox.script('deleteUser', 'htmlErrors');
    stage.sandbox.script('getJob', 'errorsIn200');
    stage.sandbox.script('getUser', 'cutBefore');
    const view = await carry('stormy');
    expect(view.state).toBe('completed');
    const delays = (await stage.trail(view.id)).filter((event) => event.type === 'task.step_delayed');
    expect(delays.map((event) => event.data['reason'])).toEqual(
      expect.arrayContaining(['server_error', 'key_refused', 'unreadable', 'no_answer']),
    );
    expect(asked('stormy')).toHaveLength(1);
  });

  it('shows why it waits and who must act while the key is refused', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'locked', sessions: 1 });
    stage.sandbox.script('deleteUser', 'unauthorized', 4);
    const { id } = await stage.submit('locked');
    const waiting = await stage.until(id, (view) => view.waiting?.reason === 'key_refused');
    expect(waiting.waiting).toMatchObject({ actsNext: 'operator' });
    expect((await stage.settled(id)).state).toBe('completed');
  });

  it('takes a single 404 for no verdict', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'hiccup', sessions: 1 });
    stage.sandbox.script('getJob', 'jobHiccup404', 2);
    const view = await carry('hiccup');
    expect(view).toMatchObject({ state: 'completed', tasks: [{ rounds: [{ reported: 'completed' }] }] });
  });

  it('asks again when the job vanished and the data is still there', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'vanished', sessions: 2 });
    stage.sandbox.faults.vanishJobs = { userIds: new Set(['vanished']) };
    const { id } = await stage.submit('vanished');
    await stage.until(id, (view) => view.tasks[0]?.rounds[0]?.reported === 'vanished');
    stage.sandbox.faults.vanishJobs = 0;
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view.state).toBe('completed');
    expect(stage.sandbox.sessionCount(PROJECT, 'vanished')).toBe(0);
  });

  it('notices what somebody else cancelled, and asks anew', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'meddled', sessions: 2 });
    stage.sandbox.faults.cancelledByOthers = { userIds: new Set(['meddled']) };
    const { id } = await stage.submit('meddled');
    await stage.until(id, (view) => view.tasks[0]?.reported === 'cancelled');
    stage.sandbox.faults.cancelledByOthers = 0;
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view.state).toBe('completed');
    expect(view.tasks[0]?.rounds.map((round) => round.reported)).toEqual(['cancelled', 'completed']);
  });

  it('cancels a submitted job at OpenReplay and reads what really happened', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'changed-mind', sessions: 2 });
    stage.sandbox.faults.hangJobs = { userIds: new Set(['changed-mind']) };
    const { id } = await stage.submit('changed-mind');
    await stage.until(id, (view) => view.tasks[0]?.state === 'submitted');
    await cancelRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId });
    const view = await stage.settled(id);
    stage.sandbox.faults.hangJobs = 0;
    checkTrail(view, await stage.trail(id));
    expect(view).toMatchObject({
      state: 'cancelled',
      tasks: [{ state: 'cancelled', reported: 'cancelled' }],
    });
    expect(stage.sandbox.sessionCount(PROJECT, 'changed-mind')).toBe(2);
    expect(stage.sandbox.jobs(PROJECT).find((job) => job.userId === 'changed-mind')?.status).toBe(
      'cancelled',
    );
  });

  it('leaves no identifier outside the vault', async () => {
    const userId = 'very-private-name@example.org';
    stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 1 });
    const view = await carry(userId);
    expect(JSON.stringify(view)).not.toContain('very-private-name');
    const { rows } = await stage.database.pool.query(`
      SELECT table_schema, table_name, string_agg(format('%I::text', column_name), ' || ') AS text
      FROM information_schema.columns WHERE table_schema IN ('public', 'bullmq') GROUP BY 1, 2`);
    expect(rows.length).toBeGreaterThan(6);
    for (const { table_schema: schema, table_name: table } of rows) {
      const found = await stage.database.pool.query(
        `SELECT count(*)::int AS found FROM "${schema}"."${table}" AS t WHERE to_jsonb(t)::text LIKE '%very-private-name%'
           OR to_jsonb(t)::text LIKE '%' || encode('very-private-name', 'hex') || '%'`,
      );
      expect([table, found.rows]).toEqual([table, [{ found: 0 }]]);
    }
  });
});
