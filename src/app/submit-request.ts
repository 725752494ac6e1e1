import { LetheError } from '../domain/errors.ts';
import type { Actor, EventDraft } from '../domain/events.ts';
import { gateOf } from '../domain/gate.ts';
import { requestMoved, type Channel, type ErasureRequest, type SubjectRef } from '../domain/request.ts';
import {
  checkSubmission,
  SubmissionInvalidError,
  type Accepted,
  type Submission,
} from './check-submission.ts';
import { taskCreated } from './discover-subject.ts';
import { discoverWork } from './new-work.ts';
import { encodeEvents } from './encode-events.ts';
import { newTask } from './new-task.ts';
import type { Deps, FirstAnswer, NewTask, ObservedRounds, Transaction } from './ports.ts';
import type { RequestView } from './request-schema.ts';
import { viewOf } from './request-view.ts';

export interface SubmissionContext {
  readonly apiKeyId: string;
  readonly channel: Channel;
  readonly idempotencyKey: string | undefined;
}

/** An idempotency key came again with another body. Code IDEMPOTENCY_KEY_REUSED. */
export class IdempotencyKeyReusedError extends LetheError {
  constructor() {
    super('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key was used before with another body.');
  }
}

/** Receipt dates may lie in the past, never in the future; clocks may differ by this much. */
const CLOCK_SKEW_MS = 60_000;

/** The answer to a submission. */
export interface SubmissionAnswer {
  readonly requestId: string;
  /** JSON of a RequestView; for a repeated key the very same text as the first time. */
  readonly body: string;
  readonly repeated: boolean;
}

/**
 * Takes an erasure request in: checks it, and stores request, audit events and first work in one transaction.
 * Once it returns, the request is not lost whatever is killed after. An id that must never be sent is kept and
 * handed to a person.
 *
 * @throws SubmissionInvalidError naming every field; IdempotencyKeyReusedError
 */
export async function submitRequest(
  deps: Deps,
  submission: Submission,
  context: SubmissionContext,
): Promise<SubmissionAnswer> {
  const accepted = checkSubmission(deps, submission);
  // Before the transaction: it may take a connection of its own to the database.
  const observed = await deps.observedRounds();
  const admit = (tx: Transaction, { apiKeyId, channel }: SubmissionContext) =>
    admitRequest(tx, deps, { accepted, apiKeyId, channel, observed });
  const answer = await deps.store.transaction(async (tx) => {
    const { idempotencyKey, apiKeyId } = context;
    if (idempotencyKey === undefined) return answerOf(await admit(tx, context));
    const key = { apiKeyId, key: idempotencyKey };
    const fingerprint = deps.vault.fingerprint(JSON.stringify(submission));
    const first = await tx.reserveAnswer(key, fingerprint);
    if (first !== undefined) return repeatedAnswer(first, fingerprint);
    const fresh = answerOf(await admit(tx, context));
    await tx.fillAnswer(key, fresh);
    return fresh;
  });
  if (!answer.repeated) deps.workIsDue();
  return answer;
}

function answerOf(view: RequestView): SubmissionAnswer {
  return { requestId: view.id, body: JSON.stringify(view), repeated: false };
}

function repeatedAnswer(first: FirstAnswer, fingerprint: Uint8Array): SubmissionAnswer {
  const same =
    first.fingerprint.length === fingerprint.length &&
    first.fingerprint.every((byte, i) => byte === fingerprint[i]);
  if (!same) throw new IdempotencyKeyReusedError();
  return { requestId: first.requestId, body: first.body, repeated: true };
}

interface Admission {
  readonly accepted: Accepted;
  readonly apiKeyId: string;
  readonly channel: Channel;
  readonly observed: ObservedRounds;
}

/** Stores a request with its first events and work, in the caller's transaction. */
async function admitRequest(tx: Transaction, deps: Deps, admission: Admission): Promise<RequestView> {
  const { accepted, apiKeyId } = admission;
  const { note, receivedAt } = accepted.submission;
  if (receivedAt !== undefined && receivedAt.getTime() > tx.now.getTime() + CLOCK_SKEW_MS) {
    throw new SubmissionInvalidError([
      { pointer: '/receivedAt', expected: 'a time that is not in the future' },
    ]);
  }
  const refs = deps.vault.subjectRefs(accepted.subject);
  const standing = await tx.hasStandingHold(refs);
  const received = await receivedRequest(deps, { ...admission, refs, now: tx.now });
  const tasks = accepted.unroutable === undefined ? [] : unroutableTasks(deps, received, accepted);
  const request = placed(received, { unroutable: tasks.length > 0, standing, now: tx.now });
  await tx.insertRequest({
    ...request,
    subjectSealed: deps.vault.sealSubject(request.id, accepted.subject),
    noteSealed: note === undefined ? null : deps.vault.sealText(request.id, note),
  });
  await tx.insertSubjectRefs(request.id, refs);
  await tx.insertTasks(tasks);
  const actor: Actor = { kind: 'api_key', id: apiKeyId };
  const drafts = openingEvents({ received, request, tasks, actor });
  const events = encodeEvents(deps, { request: received, now: tx.now }, drafts);
  await tx.write(request.id, { events });
  const begins = request.state === 'discovering' || request.state === 'cooling_off';
  const work = begins ? [discoverWork(deps, request, tx.now)] : [];
  await tx.insertWork(work);
  const waiting = work.map(({ next, ...rest }) => {
    return { ...rest, ...next, runAt: new Date(next.at), held: false };
  });
  const related = await tx.listOpenRequestsOf(refs, request.id);
  const stored = { ...request, eventCount: events.length };
  const shown = { request: stored, tasks, waiting, accessPackage: null, related };
  return viewOf(deps, shown, admission.observed);
}

async function receivedRequest(
  deps: Deps,
  from: Admission & { refs: readonly SubjectRef[]; now: Date },
): Promise<ErasureRequest> {
  const { accepted, now, channel } = from;
  const { reference, receivedAt = now, expect, regulation = 'gdpr', type = 'erasure' } = accepted.submission;
  const [subjectRef] = from.refs;
  if (subjectRef === undefined) throw new Error('a request without a subject');
  const policy = deps.policyFor({ channel, regulation, type });
  return {
    id: deps.newId('er'),
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
    cancelRequestedAt: null,
    identityRequired: policy.identityRequired,
    identityVerifiedAt: null,
    approvalsNeeded: policy.approvalsNeeded,
    approvals: 0,
    coolingOffMs: policy.coolingOffMs,
    coolingOffUntil: null,
    expectedTasks: expect?.tasks ?? null,
    clock: await deps.clockFor(regulation, receivedAt),
    extendedAt: null,
    eventCount: 0,
  };
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
  request: ErasureRequest,
  { subject, connection }: Accepted,
): readonly NewTask[] {
  if (subject.userId === undefined || connection === null)
    throw new Error('no user id, or no one connection');
  const { userId } = subject;
  return (request.projectKeys ?? [null]).map((projectKey) =>
    newTask(deps, request, { connection, projectKey, userId }),
  );
}

function openingEvents(of: {
  received: ErasureRequest;
  request: ErasureRequest;
  tasks: readonly NewTask[];
  actor: Actor;
}): readonly EventDraft[] {
  const { received, request, tasks, actor } = of;
  const first: EventDraft = {
    type: 'request.received',
    actor,
    change: { from: null, to: 'received' },
    data: {
      type: request.type,
      channel: request.channel,
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
