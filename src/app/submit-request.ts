import { LetheError } from '../domain/errors.ts';
import { LETHE, type Actor, type EventDraft } from '../domain/events.ts';
import { isProjectKey, unroutableReason, type UnroutableReason } from '../domain/identifiers.ts';
import { requestMoved, type ErasureRequest, type Regulation, type Subject } from '../domain/request.ts';
import type { Task } from '../domain/task.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps, FirstAnswer, Transaction } from './ports.ts';
import type { RequestView } from './request-schema.ts';
import { viewOf } from './request-view.ts';

/** A request as it came in, already of the right shape. */
export interface Submission {
  readonly subject: { readonly userId?: string | undefined; readonly email?: string | undefined };
  readonly projectKeys?: readonly string[] | undefined;
  /** May be left out where there is just one. */
  readonly connection?: string | undefined;
  readonly regulation?: Regulation | undefined;
  readonly receivedAt?: Date | undefined;
  readonly reference?: string | undefined;
  readonly note?: string | undefined;
}

export interface SubmissionContext {
  readonly apiKeyId: string;
  readonly idempotencyKey: string | undefined;
}

/** A field of the submission that cannot be accepted. `pointer` is a JSON Pointer into the body. */
export interface FieldProblem {
  readonly pointer: string;
  readonly expected: string;
}

/** The submission has the right shape but cannot be accepted; nothing was stored. Code SUBMISSION_INVALID. */
export class SubmissionInvalidError extends LetheError {
  readonly problems: readonly FieldProblem[];
  constructor(problems: readonly FieldProblem[]) {
    super(
      'SUBMISSION_INVALID',
      problems.map((problem) => `${problem.pointer}: ${problem.expected}`).join('; '),
    );
    this.problems = problems;
  }
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
  const accepted = check(deps, submission);
  const answer = await deps.store.transaction(async (tx) => {
    const { idempotencyKey, apiKeyId } = context;
    if (idempotencyKey === undefined) return answerOf(await admit(tx, deps, { accepted, apiKeyId }));
    const key = { apiKeyId, key: idempotencyKey };
    const fingerprint = deps.vault.fingerprint(JSON.stringify(submission));
    const first = await tx.reserveAnswer(key, fingerprint);
    if (first !== undefined) return repeatedAnswer(first, fingerprint);
    const fresh = answerOf(await admit(tx, deps, { accepted, apiKeyId }));
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

interface Accepted {
  readonly subject: Subject;
  readonly unroutable: UnroutableReason | undefined;
  readonly connection: string;
  readonly projectKeys: readonly string[] | null;
  readonly submission: Submission;
}

function check(deps: Deps, submission: Submission): Accepted {
  const problems: FieldProblem[] = [];
  const userId = checkSubject(submission, problems);
  const connection = checkConnection(deps, submission, problems);
  const projectKeys = checkProjects(deps, { submission, connection }, problems);
  if (problems.length > 0 || userId === undefined || connection === undefined)
    throw new SubmissionInvalidError(problems);
  return { subject: { userId }, unroutable: unroutableReason(userId), connection, projectKeys, submission };
}

function checkSubject({ subject }: Submission, problems: FieldProblem[]): string | undefined {
  if (subject.email !== undefined) {
    const expected =
      'nothing yet: finding a subject by e-mail address is not offered by this version; send userId';
    problems.push({ pointer: '/subject/email', expected });
  } else if (subject.userId === undefined) {
    problems.push({ pointer: '/subject/userId', expected: 'the id set with tracker.setUserID' });
  }
  return subject.userId;
}

function checkConnection(deps: Deps, submission: Submission, problems: FieldProblem[]): string | undefined {
  const names = [...deps.connections.keys()];
  const name = submission.connection ?? (names.length === 1 ? names[0] : undefined);
  if (name !== undefined && deps.connections.has(name)) return name;
  problems.push({
    pointer: '/connection',
    expected: `one of the configured connections: ${names.join(', ')}`,
  });
  return undefined;
}

function checkProjects(
  deps: Deps,
  from: { submission: Submission; connection: string | undefined },
  problems: FieldProblem[],
): readonly string[] | null {
  const keys = from.submission.projectKeys;
  if (keys === undefined) return null;
  const allowed =
    from.connection === undefined ? null : (deps.connections.get(from.connection)?.projects ?? null);
  keys.forEach((key, index) => {
    const pointer = `/projectKeys/${index}`;
    if (!isProjectKey(key)) problems.push({ pointer, expected: 'a project key: 1 to 64 of A-Z a-z 0-9 _ -' });
    else if (allowed !== null && !allowed.includes(key)) {
      problems.push({ pointer, expected: 'a project that the configuration allows for this connection' });
    }
  });
  return [...new Set(keys)];
}

interface Admission {
  readonly accepted: Accepted;
  readonly apiKeyId: string;
}

async function admit(tx: Transaction, deps: Deps, admission: Admission): Promise<RequestView> {
  const { accepted, apiKeyId } = admission;
  const { note, receivedAt } = accepted.submission;
  if (receivedAt !== undefined && receivedAt.getTime() > tx.now.getTime() + CLOCK_SKEW_MS) {
    throw new SubmissionInvalidError([
      { pointer: '/receivedAt', expected: 'a time that is not in the future' },
    ]);
  }
  const request = newRequest(deps, { ...admission, now: tx.now });
  const tasks = accepted.unroutable === undefined ? [] : unroutableTasks(deps, request, accepted.unroutable);
  const next = { kind: 'discover', at: tx.now.getTime(), reason: 'queued', attempts: 0 } as const;
  await tx.insertRequest({
    ...request,
    subjectSealed: deps.vault.sealSubject(request.id, accepted.subject),
    noteSealed: note === undefined ? null : deps.vault.sealText(request.id, note),
  });
  await tx.insertTasks(tasks);
  const actor: Actor = { kind: 'api_key', id: apiKeyId };
  const events = encodeEvents(deps, { request, now: tx.now }, openingEvents(request, { tasks, actor }));
  await tx.write(request.id, { events });
  const work = { requestId: request.id, taskId: null, connection: request.connection, projectKey: null };
  if (tasks.length === 0) await tx.insertWork([{ ...work, next }]);
  const waiting = tasks.length > 0 ? [] : [{ ...work, ...next, runAt: tx.now, held: false }];
  return viewOf({ request: { ...request, eventCount: events.length }, tasks, waiting });
}

function newRequest(deps: Deps, from: Admission & { now: Date }): ErasureRequest {
  const { accepted, now } = from;
  const { regulation, reference, receivedAt } = accepted.submission;
  return {
    id: deps.newId('er'),
    state: accepted.unroutable === undefined ? 'discovering' : 'needs_attention',
    attention: accepted.unroutable === undefined ? null : 'unroutable',
    regulation: regulation ?? 'gdpr',
    channel: 'api',
    connection: accepted.connection,
    projectKeys: accepted.projectKeys,
    reference: reference ?? null,
    subjectRef: deps.vault.subjectRef(accepted.subject),
    submittedBy: from.apiKeyId,
    receivedAt: receivedAt ?? now,
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    cancelRequestedAt: null,
    eventCount: 0,
  };
}

/** An id that must never be sent: its tasks stand there for a person, and no work is made. */
function unroutableTasks(deps: Deps, request: ErasureRequest, reason: UnroutableReason): readonly Task[] {
  return (request.projectKeys ?? [null]).map((projectKey) => ({
    id: deps.newId('tk'),
    requestId: request.id,
    connection: request.connection,
    projectKey,
    state: 'unroutable',
    unroutableReason: reason,
    attention: 'unroutable',
    rounds: [],
    verification: null,
    verifyingSince: null,
  }));
}

function openingEvents(
  request: ErasureRequest,
  by: { tasks: readonly Task[]; actor: Actor },
): readonly EventDraft[] {
  const received: EventDraft = {
    type: 'request.received',
    actor: by.actor,
    change: { from: null, to: 'received' },
    data: {
      channel: request.channel,
      regulation: request.regulation,
      connection: request.connection,
      project_keys: request.projectKeys,
      received_at: request.receivedAt.toISOString(),
      subject_ref: request.subjectRef.value,
      subject_key_version: request.subjectRef.keyVersion,
    },
  };
  const created = by.tasks.map((task): EventDraft => {
    const data = { project_key: task.projectKey, connection: task.connection, reason: task.unroutableReason };
    return {
      type: 'task.created',
      actor: LETHE,
      taskId: task.id,
      change: { from: null, to: task.state },
      data,
    };
  });
  const admitted = requestMoved(
    { ...request, state: 'received' },
    by.tasks.length > 0 ? 'needs_attention' : 'discovering',
    {
      ...(request.attention && { reason: request.attention }),
    },
  );
  return [received, ...created, admitted];
}
