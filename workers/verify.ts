import { commitTaskStep } from '../src/app/commit-task-step.ts';
import type { Connection, WorkLease } from '../src/app/ports.ts';
import type { Outcome, Page, RemoteSession, UserAddress } from '../src/domain/openreplay.ts';
import { afterVerify, wholeTime } from '../src/domain/verify-step.ts';
import { withStep, type WorkerContext } from './context.ts';

/** Looks again, after OpenReplay has reported its job, whether the data is really gone. */
export async function verify(context: WorkerContext, lease: WorkLease): Promise<void> {
  await withStep(context, lease, async (begun, connection) => {
    const user = { projectKey: begun.task.projectKey, userId: begun.subject.userId };
    const [userRead, sessions, live] = await Promise.all([
      connection.api.getUser(user),
      connection.api.listUserSessions(user, { ...wholeTime(Date.now()), limit: 1, page: 1 }),
      readLive(context, connection, user),
    ]);
    const reads = { user: userRead, sessions, live, userId: user.userId };
    await commitTaskStep(context.deps, begun.work, (task, step) => afterVerify(task, reads, step));
  });
}

/** Only some servers have live sessions; one that has none is not asked again for every task. */
async function readLive(
  context: WorkerContext,
  connection: Connection,
  user: UserAddress,
): Promise<Outcome<Page<RemoteSession>>> {
  if (context.memory.offersNoLiveSessions(connection.name)) {
    return { ok: false, failure: { kind: 'not_available', status: 404 } };
  }
  const read = await connection.api.listLiveSessions(user.projectKey, user.userId);
  if (!read.ok && read.failure.kind === 'not_available') context.memory.noteNoLiveSessions(connection.name);
  return read;
}
