import { LETHE, type EventDraft } from '../domain/events.ts';
import type { CallFailure, Outcome } from '../domain/openreplay.ts';
import { backoffMs } from '../domain/pace.ts';
import { requestMoved, type ErasureRequest, type RequestAttention } from '../domain/request.ts';
import { requestStatesBefore } from '../domain/states.ts';
import type { Task } from '../domain/task.ts';
import { waitReasonOf, type NextWork } from '../domain/work.ts';
import type { Connection, Deps, Transaction, Work } from './ports.ts';
import { recordEvents } from './record-events.ts';

/** The keys of the tenant's projects, as OpenReplay lists them; `fresh` asks it now. */
export type ListProjectKeys = (connection: Connection, fresh: boolean) => Promise<Outcome<readonly string[]>>;

/**
 * Turns a request into tasks, one for each project: those it names, or every one that the connection allows. A key
 * that OpenReplay does not list is never used: the request goes to a person.
 *
 * @param work taken by the caller
 * @returns whether something was written
 */
export async function discoverProjects(
  deps: Deps,
  work: Work,
  listProjectKeys: ListProjectKeys,
): Promise<boolean> {
  const connection = deps.connections.get(work.connection);
  const found = await deps.store.findRequest(work.requestId);
  if (connection === undefined || found === undefined)
    throw new Error('work names no known request or connection');
  const wanted = found.request.projectKeys ?? connection.projects;
  const known = await listProjectKeys(connection, false);
  // What is not known may be newer than what was listed before.
  const listed = known.ok && lacksAny(known.value, wanted) ? await listProjectKeys(connection, true) : known;
  const written = await deps.store.transaction((tx) => writeDiscovery(tx, deps, { work, listed, wanted }));
  if (written) deps.workIsDue();
  return written;
}

function lacksAny(known: readonly string[], wanted: readonly string[] | null): boolean {
  return wanted?.some((key) => !known.includes(key)) ?? false;
}

interface Discovery {
  readonly work: Work;
  readonly listed: Outcome<readonly string[]>;
  /** Null for all that are listed. */
  readonly wanted: readonly string[] | null;
}

async function writeDiscovery(tx: Transaction, deps: Deps, found: Discovery): Promise<boolean> {
  const request = await tx.lockRequest(found.work.requestId);
  if (request === undefined) return false;
  if (!found.listed.ok)
    return writeDelay(tx, deps, { request, work: found.work, failure: found.listed.failure });
  if (!(await tx.deleteWork(found.work))) return false;
  const known = found.listed.value;
  const keys = found.wanted ?? known;
  if (lacksAny(known, keys)) await writeAttention(tx, deps, { request, attention: 'project_unknown' });
  else if (keys.length === 0) await writeAttention(tx, deps, { request, attention: 'no_projects' });
  else await writeTasks(tx, deps, { request, keys });
  return true;
}

async function writeDelay(
  tx: Transaction,
  deps: Deps,
  delay: { request: ErasureRequest; work: Work; failure: CallFailure },
): Promise<boolean> {
  const { request, work, failure } = delay;
  const attempts = work.attempts + 1;
  const waitMs = backoffMs(failure, attempts, { pace: deps.pace, random: deps.random() });
  const reason = waitReasonOf(failure);
  const next: NextWork = { kind: 'discover', at: tx.now.getTime() + waitMs, reason, attempts };
  if (!(await tx.rescheduleWork(work, next))) return false;
  const data = { step: 'discover', reason, attempts, wait_ms: waitMs };
  await recordEvents(tx, { deps, request }, [{ type: 'request.step_delayed', actor: LETHE, data }]);
  return true;
}

async function writeAttention(
  tx: Transaction,
  deps: Deps,
  scope: { request: ErasureRequest; attention: RequestAttention },
): Promise<void> {
  const { request, attention } = scope;
  await recordEvents(tx, { deps, request }, [
    requestMoved(request, 'needs_attention', { reason: attention }),
  ]);
  await tx.updateRequest(request.id, requestStatesBefore('needs_attention'), {
    state: 'needs_attention',
    attention,
  });
}

async function writeTasks(
  tx: Transaction,
  deps: Deps,
  scope: { request: ErasureRequest; keys: readonly string[] },
): Promise<void> {
  const { request, keys } = scope;
  const tasks = keys.map((projectKey) => newTask(deps, request, projectKey));
  await tx.insertTasks(tasks);
  const created = tasks.map((task): EventDraft => {
    const data = { connection: task.connection, project_key: task.projectKey };
    return {
      type: 'task.created',
      actor: LETHE,
      taskId: task.id,
      change: { from: null, to: task.state },
      data,
    };
  });
  await recordEvents(tx, { deps, request }, [
    ...created,
    requestMoved(request, 'erasing', { tasks: tasks.length }),
  ]);
  await tx.updateRequest(request.id, requestStatesBefore('erasing'), { state: 'erasing' });
  const next: NextWork = { kind: 'submit', at: tx.now.getTime(), reason: 'queued', attempts: 0 };
  for (const { id: taskId, requestId, connection, projectKey } of tasks) {
    await tx.insertWork({ requestId, taskId, connection, projectKey, next });
  }
}

function newTask(deps: Deps, request: ErasureRequest, projectKey: string): Task {
  return {
    id: deps.newId('tk'),
    requestId: request.id,
    connection: request.connection,
    projectKey,
    state: 'pending',
    unroutableReason: null,
    attention: null,
    rounds: [],
    verification: null,
    verifyingSince: null,
  };
}
