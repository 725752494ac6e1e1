import pg from 'pg';
import { z } from 'zod';
import { REQUEST_TRANSITIONS, TASK_TRANSITIONS } from '../../src/domain/states.ts';
import { queryAll } from '../../src/store/connection.ts';
import { CLOSED, UNDER_WAY, type ModelRequest, type Seen } from './model.ts';

/** What must hold of every request at every moment, judged from the database alone. */

const requestRow = z.object({
  id: z.string(),
  type: z.string(),
  state: z.string(),
  attention: z.string().nullable(),
  outcome: z.string().nullable(),
  held_from: z.string().nullable(),
  held_by: z.string().nullable(),
  submitted_by: z.string(),
  event_count: z.number(),
  whole: z.string(),
});
const taskRow = z.object({
  id: z.string(),
  request_id: z.string(),
  state: z.string(),
  attention: z.string().nullable(),
  rounds: z.array(z.unknown()),
  verification: z.object({ sessions: z.string(), user: z.string() }).nullable(),
  project_key: z.string().nullable(),
  whole: z.string(),
});
const workRow = z.object({
  request_id: z.string(),
  task_id: z.string().nullable(),
  kind: z.string(),
  held: z.boolean(),
});
const eventRow = z.object({ request_id: z.string(), seq: z.number(), type: z.string(), text: z.string() });
const decisionRow = z.object({ request_id: z.string(), kind: z.string(), by: z.string() });
const event = z.object({
  seq: z.number(),
  type: z.string(),
  actor: z.string(),
  task_id: z.string().nullable(),
  data: z.looseObject({ hold_id: z.string().optional(), released: z.boolean().optional() }),
  change: z.object({ from: z.string().nullable(), to: z.string() }).nullable(),
});

const packageRow = z.object({
  request_id: z.string(),
  state: z.string(),
  gaps: z.number().nullable(),
  parts: z.number(),
  has_manifest: z.boolean(),
  ungathered: z.array(z.string()),
});

type RequestRow = z.infer<typeof requestRow>;
type TaskRow = z.infer<typeof taskRow>;
type WorkRow = z.infer<typeof workRow>;
type PackageRow = z.infer<typeof packageRow>;

const snapshot = z.object({
  requests: z.array(requestRow),
  tasks: z.array(taskRow),
  work: z.array(workRow),
  events: z.array(eventRow),
  approvals: z.array(decisionRow),
  decisions: z.array(decisionRow),
  packages: z.array(packageRow),
});
type Snapshot = z.infer<typeof snapshot>;

/** What the trail has told of a request so far. */
interface Told {
  seq: number;
  /** By id of the request or the task. */
  readonly states: Map<string, string>;
  /** What people did, as the events say: `kind by key`. */
  readonly acts: string[];
  /** The request with its tasks when it was closed: none of it changes any more. */
  closedAs: string | undefined;
}

export interface Checker {
  /**
   * Judges every request of the model, and gives what is seen of each.
   *
   * @throws Error that names each violation
   */
  check(requests: readonly ModelRequest[]): Promise<ReadonlyMap<string, Seen>>;
  /** The tasks that have been erased since this was asked last: `project` and id of the request. */
  newlyErased(): readonly { requestId: string; projectKey: string }[];
}

/** @param keyIds API keys of the model's people, by their number */
export function createChecker(pool: pg.Pool, keyIds: readonly string[]): Checker {
  const told = new Map<string, Told>();
  let erased: { requestId: string; projectKey: string }[] = [];
  return {
    check: async (requests) => {
      const read = await readAll(
        pool,
        requests.map(({ id }) => id),
        told,
      );
      const problems: string[] = [];
      const seen = new Map<string, Seen>();
      for (const request of requests) {
        const of = partOf(read, request.id);
        const before = told.get(request.id) ?? { seq: 0, states: new Map(), acts: [], closedAs: undefined };
        told.set(request.id, before);
        const fresh = of.tasks.filter(
          ({ id, state }) => state === 'erased' && before.states.get(id) !== 'erased',
        );
        erased.push(
          ...fresh.map(({ project_key: projectKey }) => ({
            requestId: request.id,
            projectKey: projectKey ?? '',
          })),
        );
        const wrong = [
          ...followTrail(of, before),
          ...judgeClosing(of, before),
          ...judgeWork(of),
          ...judgePackage(of),
          ...judgeEnd(of),
          ...judgePeople(of, request, keyIds),
          ...judgeActs(request, before, keyIds),
        ];
        problems.push(...wrong.map((problem) => `${request.id} (${of.request.state}): ${problem}`));
        seen.set(request.id, seenOf(of));
      }
      if (problems.length > 0) throw new Error(problems.join('\n'));
      return seen;
    },
    newlyErased: () => {
      const since = erased;
      erased = [];
      return since;
    },
  };
}

type Part = Omit<Snapshot, 'requests'> & { readonly request: RequestRow };

/** In one message: it is asked after every command. */
async function readAll(
  pool: pg.Pool,
  ids: readonly string[],
  told: ReadonlyMap<string, Told>,
): Promise<Snapshot> {
  if (ids.length === 0)
    return { requests: [], tasks: [], work: [], events: [], approvals: [], decisions: [], packages: [] };
  const these = `(${ids.map((id) => pg.escapeLiteral(id)).join(', ')})`;
  const news = ids.map((id) => `(request_id = ${pg.escapeLiteral(id)} AND seq >= ${told.get(id)?.seq ?? 0})`);
  const [requests, tasks, work, events, approvals, decisions, packages] = await queryAll(pool, [
    `SELECT id, type, state, attention, outcome, held_from, held_by, submitted_by, event_count,
       (to_jsonb(r) - 'updated_at' - 'event_count')::text AS whole FROM erasure_requests r WHERE id IN ${these}`,
    `SELECT id, request_id, state, attention, rounds, verification, project_key, to_jsonb(t)::text AS whole
     FROM tasks t WHERE request_id IN ${these} ORDER BY id`,
    `SELECT request_id, task_id, kind, held FROM work WHERE request_id IN ${these}`,
    `SELECT request_id, seq, type, convert_from(bytes, 'UTF8') AS text FROM audit_events
     WHERE ${news.join(' OR ')} ORDER BY request_id, seq`,
    `SELECT request_id, 'approved' AS kind, approved_by AS by FROM approvals WHERE request_id IN ${these}`,
    `SELECT request_id, kind, decided_by AS by FROM decisions WHERE request_id IN ${these} ORDER BY id`,
    `SELECT request_id, state, gaps, manifest_sealed IS NOT NULL AS has_manifest,
       (SELECT count(*)::int FROM package_parts WHERE package_parts.request_id = p.request_id) AS parts,
       ARRAY(SELECT task_id FROM package_tasks WHERE package_tasks.request_id = p.request_id
         AND gathered_at IS NULL) AS ungathered
     FROM access_packages p WHERE request_id IN ${these}`,
  ]);
  return snapshot.parse({ requests, tasks, work, events, approvals, decisions, packages });
}

function partOf(from: Snapshot, id: string): Part {
  const request = from.requests.find((row) => row.id === id);
  if (request === undefined) throw new Error(`request ${id} is lost`);
  const ours = <T extends { request_id: string }>(rows: readonly T[]) =>
    rows.filter((row) => row.request_id === id);
  return {
    request,
    tasks: ours(from.tasks),
    work: ours(from.work),
    events: ours(from.events),
    approvals: ours(from.approvals),
    decisions: ours(from.decisions),
    packages: ours(from.packages),
  };
}

const ALLOWED: Readonly<Record<'request' | 'task', ReadonlyMap<string, readonly string[]>>> = {
  request: new Map(Object.entries(REQUEST_TRANSITIONS)),
  task: new Map(Object.entries(TASK_TRANSITIONS)),
};

/** What the events say of an access package. */
const PACKAGE_EVENTS: ReadonlyMap<string, string> = new Map([
  ['package.gathering', 'gathering'],
  ['package.ready', 'ready'],
  ['package.downloaded', 'downloaded'],
  ['package.expired', 'expired'],
  ['package.withdrawn', 'withdrawn'],
]);
const AFTER_THE_END = /^(subject\.read|package\.(download_begun|downloaded|expired))$/;

/** No gap; each change one of the documented ones, from where the one before ended; and it ends in what is stored. */
function followTrail({ request, tasks, events, packages }: Part, told: Told): string[] {
  const problems = events.flatMap((row) => followEvent(told, request.id, row));
  if (request.event_count !== told.seq)
    problems.push(`${request.event_count} events are counted, ${told.seq} are there`);
  for (const { id, state } of [request, ...tasks]) {
    if (told.states.get(id) !== state)
      problems.push(`${id} is ${state}, but its trail says ${told.states.get(id)}`);
  }
  for (const { state } of packages) {
    const said = told.states.get('package');
    if (state !== said) problems.push(`its package is ${state}, but its trail says ${said}`);
  }
  return problems;
}

function followEvent(told: Told, requestId: string, row: z.infer<typeof eventRow>): string[] {
  const happened = event.parse(JSON.parse(row.text));
  const { seq, type, task_id: taskId, change } = happened;
  noteAct(told, happened);
  const expected = told.seq;
  told.seq += 1;
  if (row.seq !== expected || seq !== expected || type !== row.type)
    return [`event ${expected} is ${row.seq} (${seq}), ${type} (${row.type})`];
  const closed = CLOSED.has(told.states.get(requestId) ?? '');
  if (closed && !AFTER_THE_END.test(type)) return [`${type} comes after the end`];
  const ofPackage = PACKAGE_EVENTS.get(type);
  if (ofPackage !== undefined) told.states.set('package', ofPackage);
  return change === null ? [] : followChange(told, { change, type, id: taskId ?? requestId, taskId });
}

/** What people do to a request is told by an event that names who did it. */
const ACTS: ReadonlyMap<string, string> = new Map([
  ['request.identity_verified', 'identity_verified'],
  ['request.approved', 'approved'],
  ['request.refused', 'refused'],
  ['request.hold_confirmed', 'held'],
  ['request.extended', 'extended'],
  ['request.cancel_requested', 'cancelled'],
]);

function noteAct(told: Told, happened: z.infer<typeof event>): void {
  const act = actOf(happened);
  if (act !== undefined) told.acts.push(`${act} by ${happened.actor}`);
}

function actOf({ type, actor, task_id: taskId, change, data }: z.infer<typeof event>): string | undefined {
  const act = ACTS.get(type);
  if (act !== undefined) return act;
  // What a standing hold does to its requests is told of whoever made it.
  if (!actor.startsWith('api_key:') || data.hold_id !== undefined || taskId !== null) return undefined;
  if (type === 'request.on_hold') return 'held';
  if (data.released === true) return 'released';
  if (change?.from !== 'needs_attention') return undefined;
  return data['outcome'] === 'closed_by_decision' ? 'closed' : 'retried';
}

function followChange(
  told: Told,
  of: { change: { from: string | null; to: string }; type: string; id: string; taskId: string | null },
): string[] {
  const { change, type, id, taskId } = of;
  const before = told.states.get(id) ?? null;
  told.states.set(id, change.to);
  if (before !== change.from) return [`${type} starts from ${change.from}, not ${before}`];
  if (before === null) return [];
  const allowed = ALLOWED[taskId === null ? 'request' : 'task'].get(before) ?? [];
  return allowed.includes(change.to)
    ? []
    : [`${type} is a forbidden transition from ${before} to ${change.to}`];
}

/** What is closed stays as it was. */
function judgeClosing({ request, tasks }: Part, told: Told): string[] {
  if (!CLOSED.has(request.state))
    return told.closedAs === undefined ? [] : ['it was closed and is open again'];
  const whole = [request, ...tasks].map((row) => row.whole).join('\n');
  told.closedAs ??= whole;
  return told.closedAs === whole ? [] : ['it has changed after it was closed'];
}

const STATES_OF_WORK: Readonly<Record<string, readonly string[]>> = {
  gather: ['pending'],
  submit: ['pending', 'submitting'],
  poll: ['submitted'],
  verify: ['verifying'],
  cancel: ['pending', 'submitting', 'submitted'],
  sentinel: ['erased'],
};

/** Nothing is silently stuck: Lethe has work for all that is open, or a person is named; and no work without need. */
function judgeWork(part: Part): string[] {
  const { request, tasks, work } = part;
  const problems = judgeLooks(part);
  if (CLOSED.has(request.state)) return [...problems, ...judgeWorkOfClosed(part)];
  if (hasWork(part, 'destroy', null))
    problems.push('it is open, and its identifiers are about to be destroyed');
  const hasDiscovery = work.some(({ kind }) => kind === 'discover');
  const needsDiscovery = ['cooling_off', 'discovering'].includes(request.state);
  if (needsDiscovery && !hasDiscovery) problems.push('nobody looks for its subject');
  if (request.state === 'needs_attention' && request.attention === null)
    problems.push('it needs a person for no reason');
  const waits = tasks.some(({ state }) => UNDER_WAY.has(state));
  if (request.state === 'erasing' && !waits) problems.push('it is erasing, but no task is under way');
  for (const task of tasks) {
    const ours = work.filter(({ task_id: taskId }) => taskId === task.id);
    problems.push(...judgeTaskWork(part, task, ours));
  }
  return problems;
}

/** Whoever is erased is looked at again later, whatever becomes of the request. */
function judgeLooks(part: Part): string[] {
  return part.tasks
    .filter(({ id, state }) => hasWork(part, 'sentinel', id) !== (state === 'erased'))
    .map(({ state }) => `whether a task that is ${state} is looked at again is wrong`);
}

function judgeWorkOfClosed(part: Part): string[] {
  const { request, tasks, work, packages } = part;
  // Who closes what could not be gathered whole leaves tasks that were never begun.
  const closed = packages.length > 0 && request.outcome === 'closed_by_decision';
  const open = tasks
    .filter(({ state }) => UNDER_WAY.has(state) && !(closed && state === 'pending'))
    .map(({ state }) => state);
  const left = work.filter(
    ({ kind }) => kind !== 'expire_package' && kind !== 'sentinel' && kind !== 'destroy',
  );
  return [
    ...(hasWork(part, 'destroy', null) ? [] : ['it is closed, and its identifiers are kept for ever']),
    ...(open.length > 0 ? [`it is closed with tasks that are ${open.join(', ')}`] : []),
    ...(left.length > 0 ? [`it is closed with work: ${JSON.stringify(left)}`] : []),
  ];
}

/** A package is gathered by somebody, kept for a while, and gone with all its data then. */
function judgePackage(part: Part): string[] {
  const { request, tasks, packages } = part;
  const began = tasks.some(({ rounds }) => rounds.length > 0);
  if (began && request.type === 'access') return ['something is deleted of who asks for access alone'];
  const [kept] = packages;
  if (kept === undefined) return request.state === 'gathering' ? ['it gathers into no package'] : [];
  switch (kept.state) {
    case 'gathering':
      return began ? ['something is deleted before its copy is ready'] : judgeGathering(part, kept);
    case 'ready':
      if (!hasWork(part, 'expire_package', null)) return ['its package is kept for ever'];
      return CLOSED_FOR_GOOD.has(request.state) ? ['its package outlives it'] : [];
    default:
      return judgeGone(part, kept);
  }
}

function judgeGathering(part: Part, { ungathered }: PackageRow): string[] {
  const { state, held_from: heldFrom } = part.request;
  const idle = ungathered.filter((task) => !hasWork(part, 'gather', task));
  return [
    ...([state, heldFrom].includes('gathering') ? [] : ['nobody waits for its package']),
    ...idle.map(() => 'nobody gathers for a task'),
    ...(ungathered.length > 0 || hasWork(part, 'package', null) ? [] : ['nobody makes its package']),
  ];
}

function judgeGone(part: Part, { parts, has_manifest: hasManifest }: PackageRow): string[] {
  if (hasWork(part, 'expire_package', null)) return ['a package that is gone is to expire'];
  return parts > 0 || hasManifest ? ['data is left of a package that is gone'] : [];
}

function hasWork({ work }: Part, kind: string, task: string | null): boolean {
  return work.some((row) => row.kind === kind && row.task_id === task);
}

const CLOSED_FOR_GOOD: ReadonlySet<string> = new Set(['refused', 'cancelled']);

function judgeTaskWork({ request, packages }: Part, task: TaskRow, work: readonly WorkRow[]): string[] {
  // While a package is gathered, a task that is gathered waits for the others, or for a person.
  const gathers =
    packages.some(({ state }) => state === 'gathering') || request.attention === 'package_incomplete';
  const rests = task.state === 'pending' && (request.state === 'on_hold' || gathers);
  if (UNDER_WAY.has(task.state) && work.length === 0 && !rests)
    return [`a task that is ${task.state} is stuck`];
  return work
    .filter(({ kind }) => !(STATES_OF_WORK[kind] ?? []).includes(task.state))
    .map(({ kind }) => `a task that is ${task.state} has the work ${kind}`);
}

/** Completed only when seen to be gone, or by a person's recorded decision. */
function judgeEnd({ request, tasks, decisions }: Part): string[] {
  if (request.state !== 'completed') return [];
  const gone = (task: TaskRow) =>
    task.state === 'erased' &&
    task.verification?.sessions === 'absent' &&
    task.verification.user === 'absent';
  switch (request.outcome) {
    case 'erased':
      return tasks.length > 0 && tasks.every(gone) ? [] : ['it is completed, but not all of it is gone'];
    case 'access_provided':
      return request.type === 'access' && tasks.every(({ state }) => state === 'gathered')
        ? []
        : ['it is completed, but access was not given'];
    case 'nothing_found':
      return tasks.length === 0 ? [] : ['it has tasks, but nothing was found'];
    default:
      return decisions.some(({ kind }) => kind === 'closed') ? [] : ['nobody decided to close it'];
  }
}

/** Each act of a person is on record, with who it was; and who submitted has not approved. */
function judgePeople(
  { request, approvals, decisions }: Part,
  expected: ModelRequest,
  keyIds: readonly string[],
): string[] {
  const problems: string[] = [];
  if (approvals.some(({ by }) => by === request.submitted_by)) problems.push('its submitter approved it');
  if (approvals.length !== expected.approvers.size)
    problems.push(`${approvals.length} approvals, not ${expected.approvers.size}`);
  const kept = decisions.map(({ kind, by }) => `${kind} by ${keyIds.indexOf(by)}`).join(', ');
  const made = expected.decisions.map(({ kind, by }) => `${kind} by ${by}`).join(', ');
  if (kept !== made) problems.push(`people decided: ${made}; on record is: ${kept}`);
  return problems;
}

function judgeActs(expected: ModelRequest, told: Told, keyIds: readonly string[]): string[] {
  const made = expected.decisions.map(({ kind, by }) => `${kind} by api_key:${keyIds[by] ?? ''}`).join(', ');
  const acts = told.acts.join(', ');
  return acts === made ? [] : [`people did: ${made}; its trail says: ${acts}`];
}

function seenOf({ request, tasks, packages: [kept] }: Part): Seen {
  return {
    state: request.state,
    attention: request.attention,
    heldFrom: request.held_from,
    heldBy: request.held_by,
    tasks: tasks.map(({ state, rounds }) => ({ state, rounds: rounds.length })),
    package: kept === undefined ? null : { state: kept.state, gaps: kept.gaps ?? 0 },
  };
}
