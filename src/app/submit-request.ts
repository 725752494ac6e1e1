import { LetheError } from '../domain/errors.ts';
import type { Channel } from '../domain/request.ts';
import { admitRequests } from './admit-requests.ts';
import { checkSubmission, SubmissionInvalidError, type Submission } from './check-submission.ts';
import { futureReceipt, type Admission } from './plan-request.ts';
import type { Deps, FirstAnswer, ObservedRounds, Transaction } from './ports.ts';
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
  const { apiKeyId, channel } = context;
  const admitted = (tx: Transaction) => admit(tx, deps, { accepted, apiKeyId, channel, observed });
  const answer = await deps.store.transaction(async (tx) => {
    const { idempotencyKey } = context;
    if (idempotencyKey === undefined) return answerOf(await admitted(tx));
    const key = { apiKeyId, key: idempotencyKey };
    const fingerprint = deps.vault.fingerprint(JSON.stringify(submission));
    const first = await tx.reserveAnswer(key, fingerprint);
    if (first !== undefined) return repeatedAnswer(first, fingerprint);
    const fresh = answerOf(await admitted(tx));
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

/** Stores a request, in the caller's transaction, and gives it as it will be shown. */
async function admit(
  tx: Transaction,
  deps: Deps,
  {
    observed,
    ...admission
  }: Pick<Admission, 'accepted' | 'apiKeyId' | 'channel'> & { observed: ObservedRounds },
): Promise<RequestView> {
  const problems = futureReceipt(admission.accepted, tx.now);
  if (problems.length > 0) throw new SubmissionInvalidError(problems);
  const id = deps.newId('er');
  const [plan] = await admitRequests(tx, deps, [{ id, ...admission }]);
  if (plan === undefined) throw new Error('a request without a plan');
  const { request, tasks, refs, work } = plan;
  const waiting = work.map(({ next, ...rest }) => {
    return { ...rest, ...next, runAt: new Date(next.at), held: false };
  });
  const related = await tx.listOpenRequestsOf(refs, id);
  // What its ticket is told is written by its events, and shown from the next look on.
  const nothing = { accessPackage: null, ticket: null, replies: null };
  return viewOf(deps, { request, tasks, waiting, related, ...nothing }, observed);
}
