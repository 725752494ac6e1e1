import { LETHE, type EventDraft } from '../domain/events.ts';
import type { CallFailure, Outcome } from '../domain/openreplay.ts';
import { backoffMs } from '../domain/pace.ts';
import { requestMoved, type ErasureRequest, type RequestAttention } from '../domain/request.ts';
import { requestStatesBefore } from '../domain/states.ts';
import type { Task } from '../domain/task.ts';
import { waitReasonOf, type NextWork } from '../domain/work.ts';
import { encodeEvents } from './encode-events.ts';
import type { Connection, Deps, Transaction, Work } from './ports.ts';

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
  const found = await deps.store.findScope(work.requestId);
  if (connection === undefined || found === undefined)
    throw new Error('work names no known request or connection');
  const wanted = found.request.projectKeys ?? connection.projects;
  const known = await listProjectKeys(connection, false);
  // What is not known may be newer than what was listed before.
  const listed = known.ok && lacksAny(known.value, wanted) ? await listProjectKeys(connection, true) : known;
  const written = await deps.store.withRequest(work.requestId, async (tx, scope) => {
    if (scope === undefined) return false;
    return writeDiscovery(tx, deps, { request: scope.request, work, listed, wanted });
  });
  if (written) deps.workIsDue();
  return written;
}

function lacksAny(known: readonly string[], wanted: readonly string[] | null): boolean {
  return wanted?.some((key) => !known.includes(key)) ?? false;
}

interface Discovery {
  readonly request: ErasureRequest;
  readonly work: Work;
  readonly listed: Outcome<readonly string[]>;
  /** Null for all that are listed. */
  readonly wanted: readonly string[] | null;
}

async function writeDiscovery(tx: Transaction, deps: Deps, found: Discovery): Promise<boolean> {
  const { request, work, listed } = found;
  if (!listed.ok) return writeDelay(tx, deps, { request, work, failure: listed.failure });
  const keys = found.wanted ?? listed.value;
  if (lacksAny(listed.value, keys)) {
    return writeAttention(tx, deps, { request, work, attention: 'project_unknown' });
  }
  if (keys.length === 0) return writeAttention(tx, deps, { request, work, attention: 'no_projects' });
  return writeTasks(tx, deps, { request, work, keys });
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
  const data = { step: 'discover', reason, attempts, wait_ms: waitMs };
  const drafts: EventDraft[] = [{ type: 'request.step_delayed', actor: LETHE, data }];
  const events = encodeEvents(deps, { request, now: tx.now }, drafts);
  return tx.write(request.id, { work: { lease: work, next }, events });
}

async function writeAttention(
  tx: Transaction,
  deps: Deps,
  scope: { request: ErasureRequest; work: Work; attention: RequestAttention },
): Promise<boolean> {
  const { request, work, attention } = scope;
  const drafts = [requestMoved(request, 'needs_attention', { reason: attention })];
  return tx.write(request.id, {
    work: { lease: work, next: null },
    request: {
      from: requestStatesBefore('needs_attention'),
      patch: { state: 'needs_attention', attention },
    },
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
}

async function writeTasks(
  tx: Transaction,
  deps: Deps,
  scope: { request: ErasureRequest; work: Work; keys: readonly string[] },
): Promise<boolean> {
  const { request, work, keys } = scope;
  const tasks = keys.map((projectKey) => newTask(deps, request, projectKey));
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
  const drafts = [...created, requestMoved(request, 'erasing', { tasks: tasks.length })];
  const written = await tx.write(request.id, {
    work: { lease: work, next: null },
    request: { from: requestStatesBefore('erasing'), patch: { state: 'erasing' } },
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
  if (!written) return false;
  await tx.insertTasks(tasks);
  const next: NextWork = { kind: 'submit', at: tx.now.getTime(), reason: 'queued', attempts: 0 };
  await tx.insertWork(
    tasks.map(({ id: taskId, requestId, connection, projectKey }) => {
      return { requestId, taskId, connection, projectKey, next };
    }),
  );
  return true;
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
