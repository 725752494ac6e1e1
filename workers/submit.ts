import { intendDeletion, mayStillDelete, type BegunStep } from '../src/app/begin-task-step.ts';
import { commitTaskStep } from '../src/app/commit-task-step.ts';
import { findActiveJob, findLostJob } from '../src/app/find-job.ts';
import type { Connection, Deps, WorkLease } from '../src/app/ports.ts';
import type { CallFailure, OpenReplay, Outcome, RemoteJob, UserAddress } from '../src/domain/openreplay.ts';
import { afterLive, waitsForLive } from '../src/domain/live-step.ts';
import { afterSubmit, type SubmitResult } from '../src/domain/submit-step.ts';
import { currentRound } from '../src/domain/task.ts';
import { sessionsOf, wholeTime } from '../src/domain/verify-step.ts';
import { withStep, type WorkerContext } from './context.ts';
import { readLiveSessions } from './read-live-sessions.ts';

/** Asks OpenReplay to delete the user, or adopts the deletion that is already under way. */
export async function submit(context: WorkerContext, lease: WorkLease): Promise<void> {
  const { deps } = context;
  await withStep(context, lease, async (begun, connection) => {
    if (await subjectIsLive(context, begun, connection)) {
      await commitTaskStep(deps, begun.work, afterLive);
      return;
    }
    const intended = await intendDeletion(deps, begun);
    if (intended === undefined) return;
    const result = await askForDeletion(deps, intended, connection);
    if (result === undefined) return;
    await commitTaskStep(deps, intended.work, (task, step) => afterSubmit(task, result, step));
  });
}

async function subjectIsLive(
  context: WorkerContext,
  { task, subject }: BegunStep,
  connection: Connection,
): Promise<boolean> {
  const { waitForLiveMs } = context.deps.pace;
  if (waitForLiveMs === 0 || task.state !== 'pending') return false;
  const user = { projectKey: task.projectKey, userId: subject.userId };
  const read = await readLiveSessions(context, connection, user);
  return waitsForLive(task, { read, userId: user.userId, now: Date.now(), waitForLiveMs });
}

/** Undefined when the deletion may not be sent any more. */
async function askForDeletion(
  deps: Deps,
  begun: BegunStep,
  connection: Connection,
): Promise<SubmitResult | undefined> {
  const user = { projectKey: begun.task.projectKey, userId: begun.subject.userId };
  const counted = currentRound(begun.task)?.sessionsBefore ?? null;
  if (begun.resumed) {
    // The answer to an earlier delete may have been lost: never ask twice for what is already under way.
    const lost = await findLostJob(connection.api, user, begun.task);
    if (!lost.ok || lost.value) return adopted(lost, counted);
  }
  const count = await countSessions({ connection, user, counted });
  if (count.failure) return { kind: 'failure', failure: count.failure, sessionsBefore: null };
  if (!(await mayStillDelete(deps, begun))) return undefined;
  return deleteUser(connection.api, user, count.sessions);
}

async function deleteUser(
  api: OpenReplay,
  user: UserAddress,
  sessionsBefore: number | null,
): Promise<SubmitResult> {
  const deleted = await api.deleteUser(user);
  if (deleted.ok) return { kind: 'job', job: deleted.value, adopted: false, sessionsBefore };
  const { failure } = deleted;
  if (failure.kind === 'not_found') return { kind: 'no_such_user', sessionsBefore };
  if (failure.kind !== 'conflict') return { kind: 'failure', failure, sessionsBefore };
  return adopted(await findActiveJob(api, user), sessionsBefore);
}

/** A job found in place of an answer; none found after a conflict is looked for again later. */
function adopted(found: Outcome<RemoteJob | undefined>, sessionsBefore: number | null): SubmitResult {
  if (!found.ok) return { kind: 'failure', failure: found.failure, sessionsBefore };
  if (found.value) return { kind: 'job', job: found.value, adopted: true, sessionsBefore };
  return { kind: 'failure', failure: { kind: 'conflict' }, sessionsBefore };
}

interface Count {
  readonly sessions: number | null;
  readonly failure?: CallFailure;
}

/** Evidence says how much there was before; a server that does not know the user has nothing to count. */
async function countSessions(of: {
  connection: Connection;
  user: UserAddress;
  counted: number | null;
}): Promise<Count> {
  if (of.counted !== null || !of.connection.countSessionsBefore) return { sessions: of.counted };
  const read = await of.connection.api.listUserSessions(of.user, {
    ...wholeTime(Date.now()),
    limit: 1,
    page: 1,
  });
  if (read.ok) return { sessions: sessionsOf(read.value) };
  return read.failure.kind === 'not_found' ? { sessions: null } : { sessions: null, failure: read.failure };
}
