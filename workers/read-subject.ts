import type { BegunStep } from '../src/app/begin-task-step.ts';
import type { Connection } from '../src/app/ports.ts';
import { wholeTime, type VerificationReads } from '../src/domain/verify-step.ts';
import type { WorkerContext } from './context.ts';
import { readLiveSessions } from './read-live-sessions.ts';

/** Reads what OpenReplay has of a task's user, each store on its own. */
export async function readSubject(
  context: WorkerContext,
  { task, subject }: BegunStep,
  connection: Connection,
): Promise<VerificationReads & { userId: string }> {
  const user = { projectKey: task.projectKey, userId: subject.userId };
  const [userRead, sessions, live] = await Promise.all([
    connection.api.getUser(user),
    // The newest first, for who asks how old they are.
    connection.api.listUserSessions(user, {
      ...wholeTime(Date.now()),
      sortOrder: 'desc',
      limit: 1,
      page: 1,
    }),
    readLiveSessions(context, connection, user),
  ]);
  return { user: userRead, sessions, live, userId: user.userId };
}
