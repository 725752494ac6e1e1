import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Phase, OperationId } from '../../src/sandbox/options.ts';
import { startLethe, stageEnvironment, type LetheProcess } from '../support/lethe-process.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';

interface Moment {
  readonly name: string;
  readonly operationId: OperationId;
  readonly phase: Phase;
  /** Which such call of the erasure, from 1. */
  readonly call: number;
}

/** Every step of an erasure at which a process can die, seen from OpenReplay's side. */
const MOMENTS: readonly Moment[] = [
  {
    name: 'after the intent, before the DELETE',
    operationId: 'listUserSessions',
    phase: 'received',
    call: 1,
  },
  { name: 'with the DELETE on its way', operationId: 'deleteUser', phase: 'received', call: 1 },
  { name: 'after the DELETE, before its answer', operationId: 'deleteUser', phase: 'carried_out', call: 1 },
  { name: "after the DELETE's answer", operationId: 'deleteUser', phase: 'answered', call: 1 },
  { name: 'in a poll', operationId: 'getJob', phase: 'received', call: 1 },
  { name: 'between polls', operationId: 'getJob', phase: 'answered', call: 1 },
  { name: 'in verification, before its reads', operationId: 'getUser', phase: 'received', call: 1 },
  { name: 'in verification, after a read', operationId: 'listUserSessions', phase: 'answered', call: 2 },
];

/** `npm run test:long` kills on each queue backend; `npm test` on one, Redis where there is one. */
const BACKENDS = process.env['LETHE_SOAK'] === '1' ? queueBackends() : queueBackends().slice(-1);

/** One deployment lives through all the deaths: who finishes an erasure is the one that dies in the next. */
describe.each(BACKENDS)('kill -9 of the worker on $name', (backend) => {
  let stage: Stage;
  let env: Record<string, string>;
  let worker: LetheProcess | undefined;
  const everStarted: LetheProcess[] = [];
  const startWorker = (): LetheProcess => {
    const started = startLethe('worker', env);
    everStarted.push(started);
    return started;
  };

  beforeAll(async () => {
    const masterKey = randomBytes(32);
    stage = await openStage({ backend, masterKey, withoutWorker: true, sandbox: { jobDelayMs: 600 } });
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'bystander', sessions: 4 });
    env = await stageEnvironment(stage, masterKey);
  });
  afterAll(async () => {
    await Promise.all(everStarted.map((process) => process.stop()));
    await stage.close();
  });

  it.each(MOMENTS)('$name: the erasure completes all the same', async (moment) => {
    const { sandbox } = stage;
    const userId = `${moment.name.replaceAll(' ', '-')}@example.org`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 4 });
    // A first look that does not find the job, so that there is a second.
    if (moment.name === 'between polls') sandbox.script('getJob', 'jobHiccup404');
    const victim = worker ?? startWorker();
    const killed = killAt(moment, stage, victim);
    const { id } = await stage.submit(userId);
    await killed;

    worker = startWorker();
    const view = await stage.settled(id);

    checkTrail(view, await stage.trail(id));
    expect(view.state).toBe('completed');
    expect(sandbox.hasUser(PROJECT, userId)).toBe(false);
    expect(sandbox.sessionCount(PROJECT, 'bystander')).toBe(4);
    expect(sandbox.maxActiveJobsPerUser).toBe(1);
    expect(sandbox.deletionsAsked.filter((deletion) => deletion.userId === userId)).toHaveLength(1);
    for (const process of everStarted) expect(process.output()).not.toContain('@example.org');
  });
});

/** Kills the worker the moment OpenReplay sees that call, and ends once it is dead. */
function killAt(moment: Moment, { sandbox }: Stage, worker: LetheProcess): Promise<void> {
  return new Promise((resolve) => {
    let calls = 0;
    sandbox.onRequest = async ({ operationId, phase }) => {
      if (operationId !== moment.operationId || phase !== moment.phase) return;
      calls += 1;
      if (calls !== moment.call) return;
      await worker.kill();
      resolve();
    };
  });
}
