import { LETHE, type Actor, type EventData, type EventDraft } from '../domain/events.ts';
import { gateOf } from '../domain/gate.ts';
import type { Policy } from '../domain/policy.ts';
import { requestMoved, type Channel, type ErasureRequest, type SubjectRef } from '../domain/request.ts';
import type { Accepted, FieldProblem } from './check-submission.ts';
import { taskCreated } from './discover-subject.ts';
import { encodeEvents } from './encode-events.ts';
import { newTask } from './new-task.ts';
import { discoverWork } from './new-work.ts';
import type { DataKey, Deps, EncodedEvent, NewTask, NewWork, Transaction } from './ports.ts';

/** A submission that is taken in, and what its request depends on. */
export interface Admission {
  readonly accepted: Accepted;
  /** Pseudonyms of its subject. */
  readonly refs: readonly SubjectRef[];
  /** A legal hold stands on one of them. */
  readonly standing: boolean;
  readonly apiKeyId: string;
  readonly channel: Channel;
  /** The ticket that it was made of, and what told of it. */
  readonly ticket?: { readonly source: string; readonly deliveryId: string };
  /** The import that it came in with. */
  readonly importId?: string;
  /** The erasure that it carries out again. */
  readonly replays?: { readonly requestId: string; readonly taskId: string };
  /** The request whose subject is there again, and whether a person has to agree before they are erased again. */
  readonly reopens?: { readonly requestId: string; readonly needsPerson: boolean };
  /** The transaction's time. */
  readonly now: Date;
}

/** All that is written of a new request. */
export interface PlannedRequest {
  /** As it will stand, events counted. */
  readonly request: ErasureRequest;
  readonly accepted: Accepted;
  readonly dataKey: DataKey;
  readonly refs: readonly SubjectRef[];
  readonly tasks: readonly NewTask[];
  readonly events: readonly EncodedEvent[];
  readonly work: readonly NewWork[];
}

/** Receipt dates may lie in the past, never in the future; clocks may differ by this much. */
const CLOCK_SKEW_MS = 60_000;

/** What can be said against a submission only once the database's time is known. */
export function futureReceipt({ submission }: Accepted, now: Date): readonly FieldProblem[] {
  const { receivedAt } = submission;
  if (receivedAt === undefined || receivedAt.getTime() <= now.getTime() + CLOCK_SKEW_MS) return [];
  return [{ pointer: '/receivedAt', expected: 'a time that is not in the future' }];
}

/**
 * Plans a request: where it stands by its policy and the holds on its subject, with its first events and work. An id that
 * must never be sent is kept and handed to a person. Nothing is written.
 *
 * @param id of the request
 */
export async function planRequest(deps: Deps, id: string, admission: Admission): Promise<PlannedRequest> {
  const { accepted, refs, now } = admission;
  const received = await receivedRequest(deps, id, admission);
  const dataKey = deps.vault.newDataKey(id);
  const tasks =
    accepted.unroutable === undefined ? [] : unroutableTasks(deps, dataKey, { request: received, accepted });
  const request = placed(received, { ...admission, unroutable: tasks.length > 0 });
  const drafts = openingEvents({ received, request, tasks, admission });
  const events = encodeEvents(deps, { request: received, now }, drafts);
  const begins = request.state === 'discovering' || request.state === 'cooling_off';
  return {
    request: { ...request, eventCount: events.length },
    accepted,
    dataKey,
    refs,
    tasks,
    events,
    work: begins ? [discoverWork(deps, request, now)] : [],
  };
}

/** Writes planned requests, in a few statements for any number of them. */
export async function writePlans(
  tx: Transaction,
  { vault }: Pick<Deps, 'vault'>,
  plans: readonly PlannedRequest[],
): Promise<void> {
  await tx.insertRequests(
    plans.map(({ request, accepted, dataKey, refs, events }) => {
      const { note } = accepted.submission;
      const box = vault.boxOf(dataKey);
      return {
        ...request,
        dataKey,
        subjectSealed: box.sealSubject(request.id, accepted.subject),
        noteSealed: note === undefined ? null : box.sealText(request.id, note),
        refs,
        events,
      };
    }),
  );
  await tx.insertTasks(plans.flatMap(({ tasks }) => tasks));
  await tx.insertWork(plans.flatMap(({ work }) => work));
}

async function receivedRequest(deps: Deps, id: string, from: Admission): Promise<ErasureRequest> {
  const { accepted, now, channel } = from;
  const { reference, receivedAt = now, expect, regulation = 'gdpr', type = 'erasure' } = accepted.submission;
  const [subjectRef] = from.refs;
  if (subjectRef === undefined) throw new Error('a request without a subject');
  const policy = deps.policyFor({ channel, regulation, type, source: from.ticket?.source });
  return {
    id,
    type,
    state: 'received',
    attention: null,
    outcome: null,
    heldFrom: null,
    heldBy: null,
    regulation,
    channel,
    connection: accepted.connection,
    projectKeys: accepted.projectKeys,
    reference: reference ?? null,
    subjectRef,
    submittedBy: from.apiKeyId,
    receivedAt,
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    closedAt: null,
    subjectDestroyedAt: null,
    cancelRequestedAt: null,
    identityRequired: policy.identityRequired,
    identityVerifiedAt: null,
    approvalsNeeded: approvalsFor(policy, from),
    approvals: 0,
    coolingOffMs: policy.coolingOffMs,
    coolingOffUntil: null,
    expectedTasks: expect?.tasks ?? null,
    clock: await deps.clockFor(regulation, receivedAt),
    extendedAt: null,
    eventCount: 0,
  };
}

/** No rule lets go ahead by itself what a person has to agree to. */
function approvalsFor({ approvalsNeeded }: Policy, { reopens }: Admission): Policy['approvalsNeeded'] {
  return reopens?.needsPerson === true && approvalsNeeded === 0 ? 1 : approvalsNeeded;
}

/** Where a request that was just received stands: at its first gate, on hold, or with a person. */
function placed(
  received: ErasureRequest,
  by: { unroutable: boolean; standing: boolean; now: Date },
): ErasureRequest {
  if (by.unroutable) return { ...received, state: 'needs_attention', attention: 'unroutable' };
  const state = gateOf(received, by.now);
  const coolingOffUntil = state === 'cooling_off' ? new Date(by.now.getTime() + received.coolingOffMs) : null;
  const request = { ...received, state, coolingOffUntil };
  // Nothing is deleted of who asks for access before they have got it.
  return by.standing && received.type === 'erasure'
    ? { ...request, state: 'on_hold', heldFrom: state, heldBy: 'standing_hold', coolingOffUntil: null }
    : request;
}

/** An id that must never be sent: its tasks stand there for a person, and no work is made. */
function unroutableTasks(
  deps: Deps,
  dataKey: DataKey,
  { request, accepted: { subject, connection } }: { request: ErasureRequest; accepted: Accepted },
): readonly NewTask[] {
  if (subject.userId === undefined || connection === null)
    throw new Error('no user id, or no one connection');
  const { userId } = subject;
  return (request.projectKeys ?? [null]).map((projectKey) =>
    newTask(deps, dataKey, { connection, projectKey, userId }),
  );
}

/** What a request follows from, where it was not sent in by itself. */
function originOf({ ticket, importId, replays, reopens }: Admission): EventData {
  return {
    ...(ticket && { source: ticket.source, delivery_id: ticket.deliveryId }),
    ...(importId !== undefined && { import_id: importId }),
    ...(replays && { replays_request_id: replays.requestId, replays_task_id: replays.taskId }),
    ...(reopens && { reopens_request_id: reopens.requestId }),
  };
}

function openingEvents(of: {
  received: ErasureRequest;
  request: ErasureRequest;
  tasks: readonly NewTask[];
  admission: Admission;
}): readonly EventDraft[] {
  const { received, request, tasks } = of;
  const { apiKeyId, reopens } = of.admission;
  const actor: Actor = reopens === undefined ? { kind: 'api_key', id: apiKeyId } : LETHE;
  const first: EventDraft = {
    type: 'request.received',
    actor,
    change: { from: null, to: 'received' },
    data: {
      type: request.type,
      channel: request.channel,
      ...originOf(of.admission),
      regulation: request.regulation,
      connection: request.connection,
      project_keys: request.projectKeys,
      received_at: request.receivedAt.toISOString(),
      subject_ref: request.subjectRef.value,
      subject_kind: request.subjectRef.kind,
      subject_key_version: request.subjectRef.keyVersion,
      identity_required: request.identityRequired,
      approvals_needed: request.approvalsNeeded,
      cooling_off_ms: request.coolingOffMs,
      expected_tasks: request.expectedTasks,
      due_on: request.clock?.dueOn ?? null,
      extended_due_on: request.clock?.extendedDueOn ?? null,
    },
  };
  if (request.state === 'received') throw new Error('a request is never left as received');
  const data = {
    ...(request.attention && { reason: request.attention }),
    ...(request.heldBy && { held_by: request.heldBy }),
  };
  return [first, ...tasks.map(taskCreated), requestMoved(received, request.state, { data })];
}
