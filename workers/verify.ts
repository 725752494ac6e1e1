import { commitTaskStep } from '../src/app/commit-task-step.ts';
import type { WorkLease } from '../src/app/ports.ts';
import { afterVerify, wholeTime } from '../src/domain/verify-step.ts';
import { withStep, type WorkerContext } from './context.ts';
import { readLiveSessions } from './read-live-sessions.ts';

/** Looks again, after OpenReplay has reported its job, whether the data is really gone. */
export async function verify(context: WorkerContext, lease: WorkLease): Promise<void> {
  await withStep(context, lease, async (begun, connection) => {
    const user = { projectKey: begun.task.projectKey, userId: begun.subject.userId };
    const [userRead, sessions, live] = await Promise.all([
      connection.api.getUser(user),
      connection.api.listUserSessions(user, { ...wholeTime(Date.now()), limit: 1, page: 1 }),
      readLiveSessions(context, connection, user),
    ]);
    const reads = { user: userRead, sessions, live, userId: user.userId };
    await commitTaskStep(context.deps, begun.work, (task, step) => afterVerify(task, reads, step));
  });
}
