import { LetheError } from '../domain/errors.ts';
import type { Channel } from '../domain/request.ts';
import { checkSubmission, SubmissionInvalidError, type Submission } from './check-submission.ts';
import { futureReceipt, planRequest, writePlans, type Admission } from './plan-request.ts';
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

/** Stores a request with its first events and work, in the caller's transaction. */
async function admitRequest(
  tx: Transaction,
  deps: Deps,
  {
    observed,
    ...admission
  }: Pick<Admission, 'accepted' | 'apiKeyId' | 'channel'> & { observed: ObservedRounds },
): Promise<RequestView> {
  const problems = futureReceipt(admission.accepted, tx.now);
  if (problems.length > 0) throw new SubmissionInvalidError(problems);
  const refs = deps.vault.subjectRefs(admission.accepted.subject);
  const standing = (await tx.listStandingRefs(refs)).size > 0;
  const id = deps.newId('er');
  const plan = await planRequest(deps, id, { ...admission, refs, standing, now: tx.now });
  await writePlans(tx, deps, [plan]);
  const { request, tasks } = plan;
  const waiting = plan.work.map(({ next, ...rest }) => {
    return { ...rest, ...next, runAt: new Date(next.at), held: false };
  });
  const related = await tx.listOpenRequestsOf(refs, id);
  return viewOf(
    deps,
    {
      request,
      tasks,
      waiting, // What its ticket is told is written by its events, and shown from the next look on.
      replies: null,
      accessPackage: null,
      related,
    },
    observed,
  );
}
