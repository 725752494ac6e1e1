import { LETHE, type EventDraft } from '../domain/events.ts';
import { isBeforeDiscovery } from '../domain/gate.ts';
import type { CallFailure } from '../domain/openreplay.ts';
import { backoffMs, isMood } from '../domain/pace.ts';
import { requestMoved, rollUp, type ErasureRequest, type RequestAttention } from '../domain/request.ts';
import { requestStatesBefore } from '../domain/states.ts';
import { waitReasonOf, type NextWork } from '../domain/work.ts';
import { movingRequest } from './closing.ts';
import { encodeEvents } from './encode-events.ts';
import { findSubject, type Finding, type Found, type ListProjectKeys, type Match } from './find-subject.ts';
import { putOnHold } from './hold.ts';
import { newTask } from './new-task.ts';
import { gatherWork, submitWork } from './new-work.ts';
import type { DataKey, Deps, NewTask, Transaction, Work } from './ports.ts';

/**
 * Finds the subject of a request, and makes a task for each user id in each project. What is found otherwise than
 * expected, or too often, goes to a person; a subject that is nowhere completes the request.
 *
 * @param work taken by the caller
 * @returns whether something was written
 */
export async function discoverSubject(
  deps: Deps,
  work: Work,
  listProjectKeys: ListProjectKeys,
): Promise<boolean> {
  const scope = await deps.store.findScope(work.requestId);
  if (scope?.subjectSealed == null) throw new Error('work names no known request, or its subject is gone');
  const subject = deps.vault.boxOf(scope.dataKey).openSubject(scope.request.id, scope.subjectSealed);
  const found = await findSubject(deps, {
    scope: scope.request,
    subject,
    // Who says how many to expect has looked where the subject is.
    lookUpUserId: scope.request.expectedTasks !== null,
    listProjectKeys,
  });
  const written = await deps.store.withRequest(work.requestId, async (tx, now) => {
    if (now === undefined) return false;
    const { request, dataKey, standingHold } = now;
    const done = { lease: work, next: null };
    // Held meanwhile: what was found is looked for again when it goes on.
    if (request.state === 'on_hold') return tx.write(request.id, { work: done, events: [] });
    // A hold keeps data from being deleted, not from being given to whom it is about; deletion looks again.
    if (standingHold && request.type === 'erasure')
      return putOnHold(tx, deps, { request, heldBy: 'standing_hold', actor: LETHE, work: done });
    if (dataKey === null) throw new Error('the subject of an open request is gone');
    return writeDiscovery(tx, deps, { request, dataKey, work, found });
  });
  if (written) deps.workIsDue();
  return written;
}

interface Discovery {
  readonly request: ErasureRequest;
  readonly dataKey: DataKey;
  readonly work: Work;
}

async function writeDiscovery(
  tx: Transaction,
  deps: Deps,
  discovery: Discovery & { found: Finding },
): Promise<boolean> {
  const { found, ...of } = discovery;
  if (!found.ok) return writeDelay(tx, deps, { ...of, failure: found.failure });
  if (found.value.kind !== 'found') {
    return writeEnd(tx, deps, { ...of, events: [], end: { attention: found.value.kind } });
  }
  const { matches } = found.value;
  const searched = searchedEvents(found.value);
  const attention = doubtAbout(deps, of.request.expectedTasks, found.value);
  if (attention !== undefined) return writeEnd(tx, deps, { ...of, events: searched, end: { attention } });
  if (matches.length === 0) return writeEnd(tx, deps, { ...of, events: searched, end: 'nothing_found' });
  return writeTasks(tx, deps, { ...of, matches, searched });
}

/** Why a person has to look at what was found before anything of it is erased, if so. */
export function doubtAbout(
  { maxMatches }: Pick<Deps, 'maxMatches'>,
  expectedTasks: number | null,
  { matches, searched }: Extract<Found, { kind: 'found' }>,
): RequestAttention | undefined {
  if (expectedTasks !== null) return matches.length === expectedTasks ? undefined : 'unexpected_matches';
  // Users of that address were listed and then not known: that is no proof of their being gone.
  if (searched.some(({ unconfirmed }) => unconfirmed > 0)) return 'unexpected_matches';
  // A user id stands for itself in however many projects; what is doubted is how many share the address.
  const byEmail = searched.reduce((sum, project) => sum + project.matches, 0);
  return byEmail > maxMatches ? 'too_many_matches' : undefined;
}

function searchedEvents({ searched }: Extract<Found, { kind: 'found' }>): readonly EventDraft[] {
  if (searched.length === 0) return [];
  const projects = searched.map(({ connection, projectKey, candidates, unconfirmed, matches }) => {
    return { connection, project_key: projectKey, candidates, unconfirmed, matches };
  });
  return [{ type: 'request.subject_searched', actor: LETHE, data: { projects } }];
}

/** A request that cooled off until now enters discovery with the event that says so. */
function entering(request: ErasureRequest): { events: readonly EventDraft[]; request: ErasureRequest } {
  if (!isBeforeDiscovery(request.state)) return { events: [], request };
  return {
    events: [requestMoved(request, 'discovering')],
    request: { ...request, state: 'discovering' },
  };
}

async function writeDelay(
  tx: Transaction,
  deps: Deps,
  delay: Discovery & { failure: CallFailure },
): Promise<boolean> {
  const { request, work, failure } = delay;
  const entered = entering(request);
  const { next, events } = tryAgain(deps, { work, failure, now: tx.now });
  const drafts: EventDraft[] = [...entered.events, ...events];
  return tx.write(request.id, {
    work: { lease: work, next },
    request: { from: [request.state], patch: { state: entered.request.state } },
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
}

/** Searching is tried for ever: nothing was asked of OpenReplay yet, and who waits sees why. */
function tryAgain(
  deps: Deps,
  { work, failure, now }: { work: Work; failure: CallFailure; now: Date },
): { next: NextWork; events: readonly EventDraft[] } {
  const reason = waitReasonOf(failure);
  const since = work.failingSince?.getTime();
  if (failure.kind === 'withheld') {
    const failing = since === undefined ? {} : { failingSince: since };
    const next: NextWork = {
      kind: 'discover',
      at: failure.untilMs,
      reason,
      attempts: work.attempts,
      ...failing,
    };
    return { next, events: [] };
  }
  const attempts = isMood(failure) ? work.attempts : work.attempts + 1;
  const waitMs = backoffMs(failure, attempts, { pace: deps.pace, random: deps.random() });
  const at = now.getTime() + waitMs;
  const next: NextWork = { kind: 'discover', at, reason, attempts, failingSince: since ?? now.getTime() };
  const data = { step: 'discover', reason, attempts, wait_ms: waitMs };
  return { next, events: [{ type: 'request.step_delayed', actor: LETHE, data }] };
}

/** Discovery that makes no task ends at a person, or with the finding that there is nothing to erase. */
async function writeEnd(
  tx: Transaction,
  deps: Deps,
  of: Discovery & {
    events: readonly EventDraft[];
    end: { readonly attention: RequestAttention } | 'nothing_found';
  },
): Promise<boolean> {
  const { request, work, end } = of;
  const entered = entering(request);
  const nothing = end === 'nothing_found';
  const to = nothing ? 'completed' : 'needs_attention';
  const data = nothing ? { outcome: end } : { reason: end.attention };
  const patch = nothing
    ? ({ state: 'completed', outcome: end, completedAt: tx.now } as const)
    : ({ state: 'needs_attention', attention: end.attention } as const);
  const drafts = [...entered.events, ...of.events, requestMoved(entered.request, to, { data })];
  return tx.write(request.id, {
    work: { lease: work, next: null },
    ...movingRequest(deps, { request, now: tx.now }, { from: [request.state], patch }),
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
}

async function writeTasks(
  tx: Transaction,
  deps: Deps,
  of: Discovery & { matches: readonly Match[]; searched: readonly EventDraft[] },
): Promise<boolean> {
  const { request, dataKey, work, matches, searched } = of;
  const tasks = matches.map((match) => newTask(deps, dataKey, match));
  const sendable = tasks.filter((task) => task.state === 'pending');
  const entered = entering(request);
  const { on, events } = onward(entered.request, tasks);
  const move = rollUp(on, tasks);
  const drafts = [
    ...entered.events,
    ...searched,
    ...tasks.map(taskCreated),
    ...events,
    ...(move === undefined ? [] : [move.event]),
  ];
  const written = await tx.write(request.id, {
    work: { lease: work, next: null },
    request: {
      from: [...requestStatesBefore(on.state), request.state],
      patch: move === undefined ? { state: on.state } : { state: move.to, attention: move.attention },
    },
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
  if (!written) return false;
  await tx.insertTasks(tasks);
  const refs = matches.flatMap(({ userId }) => deps.vault.subjectRefs({ userId }));
  await tx.insertSubjectRefs(request.id, refs);
  if (on.state === 'erasing') await tx.insertWork(submitWork(sendable, tx.now));
  if (on.state !== 'gathering') return true;
  await tx.insertPackage(
    request.id,
    sendable.map(({ id }) => id),
  );
  await tx.insertWork(gatherWork(sendable, tx.now));
  return true;
}

/** Where a request goes once its tasks are made; access comes before erasure. */
function onward(
  request: ErasureRequest,
  tasks: readonly NewTask[],
): { on: ErasureRequest; events: readonly EventDraft[] } {
  const data = { tasks: tasks.length };
  if (request.type === 'erasure') {
    return {
      on: { ...request, state: 'erasing' },
      events: [requestMoved(request, 'erasing', { data })],
    };
  }
  // What can be asked for nowhere can be given from nowhere: that goes to a person at once.
  if (tasks.every(({ state }) => state !== 'pending')) return { on: request, events: [] };
  return {
    on: { ...request, state: 'gathering' },
    events: [
      requestMoved(request, 'gathering', { data }),
      { type: 'package.gathering', actor: LETHE, data: { type: request.type } },
    ],
  };
}

/** The event of a task that was just made. */
export function taskCreated(task: NewTask): EventDraft {
  const reason = task.unroutableReason;
  return {
    type: 'task.created',
    actor: LETHE,
    taskId: task.id,
    change: { from: null, to: task.state },
    data: {
      connection: task.connection,
      project_key: task.projectKey,
      user_ref: task.userRef,
      ...(reason !== null && { reason }),
    },
  };
}
