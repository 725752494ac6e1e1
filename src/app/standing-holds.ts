import { z } from 'zod';
import { isEmailAddress } from '../domain/email.ts';
import { LetheError } from '../domain/errors.ts';
import type { Actor } from '../domain/events.ts';
import { mayErase, type ErasureRequest, type Subject, type SubjectRef } from '../domain/request.ts';
import { requestStatesBefore } from '../domain/states.ts';
import { putOnHold, takeOffHold } from './hold.ts';
import type { Deps } from './ports.ts';
import type { Hold, HoldFilter } from './ports/life.ts';
import { recordAdminEvent } from './record-admin-event.ts';
import { PAGE_MAX, time } from './request-schema.ts';
import { subjectPseudonym } from './subject-schema.ts';

/** How ids of standing holds look. */
export const HOLD_ID = /^hd_[0-9a-f]{32}$/;
export const holdId = z.string().regex(HOLD_ID).meta({ id: 'HoldId' });

/** A hold takes one identifier; a person known by two has two holds. Code HOLD_SUBJECT_INVALID. */
export class HoldSubjectInvalidError extends LetheError {
  readonly pointer: '/subject' | '/subject/email';
  readonly expected: string;
  constructor(pointer: '/subject' | '/subject/email', expected: string) {
    super('HOLD_SUBJECT_INVALID', `A hold needs at ${pointer}: ${expected}.`);
    this.pointer = pointer;
    this.expected = expected;
  }
}

/** A standing hold as people see it. */
export const holdView = z
  .strictObject({
    id: holdId,
    subject: subjectPseudonym,
    reason: z.string(),
    createdBy: z.string().meta({ description: 'Id of an API key.' }),
    createdAt: time,
    releasedBy: z.string().nullable(),
    releasedAt: time.nullable(),
    releaseReason: z.string().nullable(),
  })
  .meta({ id: 'Hold', description: 'A standing legal hold on a subject.' });
export type HoldView = z.infer<typeof holdView>;

/**
 * Puts a standing legal hold on a subject: every open request for it is put on hold, every later one is caught when it
 * comes in, and each once more at the moment of submission.
 *
 * @throws HoldSubjectInvalidError
 */
export async function createHold(
  deps: Deps,
  command: { subject: Subject; reason: string; apiKeyId: string },
): Promise<HoldView> {
  const { subject, reason, apiKeyId } = command;
  const ref = onlyRef(deps, subject);
  const id = deps.newId('hd');
  const actor: Actor = { kind: 'api_key', id: apiKeyId };
  const hold = await deps.store.transaction(async (tx) => {
    const made: Hold = {
      id,
      ref,
      createdBy: apiKeyId,
      createdAt: tx.now,
      releasedBy: null,
      releasedAt: null,
      reasonSealed: deps.vault.lasting.sealText(id, reason, 'reason'),
      releaseReasonSealed: null,
    };
    await tx.insertHold({ ...made, subjectSealed: deps.vault.lasting.sealSubject(id, subject) });
    const data = { subject_ref: ref.value, subject_kind: ref.kind, subject_key_version: ref.keyVersion };
    await recordAdminEvent(tx, deps, { type: 'hold.created', actor, holdId: id, data });
    return made;
  });
  // Committed before the requests are looked for: one that comes in meanwhile sees the hold, or is seen here.
  for (const requestId of await deps.store.listOpenRequestsOf([ref])) {
    await holdOne(deps, { requestId, holdId: id, actor });
  }
  return viewOfHold(deps, hold);
}

function onlyRef({ vault }: Pick<Deps, 'vault'>, subject: Subject): SubjectRef {
  const [ref, ...more] = vault.subjectRefs(subject);
  if (ref === undefined || more.length > 0)
    throw new HoldSubjectInvalidError('/subject', 'one identifier: either userId or email');
  // No request is ever for such a subject, so the hold would keep nothing and look as if it did.
  if (subject.email !== undefined && !isEmailAddress(subject.email))
    throw new HoldSubjectInvalidError('/subject/email', 'an e-mail address');
  return ref;
}

/** Where access is asked for, a hold on the subject is looked at when the deletion would begin, and no sooner. */
function isHeldByStandingHolds(request: ErasureRequest): boolean {
  if (!requestStatesBefore('on_hold').includes(request.state)) return false;
  return request.type === 'erasure' || mayErase(request);
}

async function holdOne(deps: Deps, of: { requestId: string; holdId: string; actor: Actor }): Promise<void> {
  await deps.store.withRequest(of.requestId, async (tx, scope) => {
    if (scope === undefined || !isHeldByStandingHolds(scope.request)) return;
    const data = { hold_id: of.holdId };
    await putOnHold(tx, deps, { request: scope.request, heldBy: 'standing_hold', actor: of.actor, data });
  });
}

/**
 * Releases a standing hold; requests that only standing holds kept, and none keeps any more, go on. A second time changes
 * nothing.
 *
 * @returns undefined when there is no hold with this id
 */
export async function releaseHold(
  deps: Deps,
  command: { holdId: string; reason: string; apiKeyId: string },
): Promise<HoldView | undefined> {
  const { holdId, reason, apiKeyId } = command;
  const actor: Actor = { kind: 'api_key', id: apiKeyId };
  const released = await deps.store.transaction(async (tx) => {
    const hold = await tx.lockHold(holdId);
    if (hold?.releasedAt !== null) return hold;
    const reasonSealed = deps.vault.lasting.sealText(holdId, reason, 'release_reason');
    await tx.releaseHold({ id: holdId, by: apiKeyId, at: tx.now, reasonSealed });
    await recordAdminEvent(tx, deps, { type: 'hold.released', actor, holdId });
    return { ...hold, releasedBy: apiKeyId, releasedAt: tx.now, releaseReasonSealed: reasonSealed };
  });
  if (released === undefined) return undefined;
  for (const requestId of await deps.store.listHeldRequestsOf(released.ref.value)) {
    await deps.store.withRequest(requestId, async (tx, scope) => {
      if (scope?.request.heldBy !== 'standing_hold' || scope.standingHold) return;
      const { request, tasks } = scope;
      await takeOffHold(tx, deps, { request, tasks, actor, data: { hold_id: holdId } });
    });
  }
  deps.workIsDue();
  return viewOfHold(deps, released);
}

export const holdPage = z
  .strictObject({
    items: z.array(holdView).max(PAGE_MAX),
    nextCursor: holdId
      .nullable()
      .meta({ description: 'Give it as `cursor` for what follows; null on the last page.' }),
  })
  .meta({ id: 'HoldPage' });

/** Standing holds, newest first. */
export async function listHolds(
  deps: Pick<Deps, 'store' | 'vault'>,
  filter: HoldFilter,
): Promise<z.infer<typeof holdPage>> {
  const found = await deps.store.listHolds({ ...filter, limit: filter.limit + 1 });
  const items = found.slice(0, filter.limit).map((hold) => viewOfHold(deps, hold));
  return { items, nextCursor: found.length > filter.limit ? (items.at(-1)?.id ?? null) : null };
}

function viewOfHold({ vault }: Pick<Deps, 'vault'>, hold: Hold): HoldView {
  const { id, ref, releaseReasonSealed } = hold;
  return {
    id,
    subject: { ref: ref.value, kind: ref.kind, keyVersion: ref.keyVersion },
    reason: vault.lasting.openText(id, hold.reasonSealed, 'reason'),
    createdBy: hold.createdBy,
    createdAt: hold.createdAt.toISOString(),
    releasedBy: hold.releasedBy,
    releasedAt: hold.releasedAt?.toISOString() ?? null,
    releaseReason:
      releaseReasonSealed === null ? null : vault.lasting.openText(id, releaseReasonSealed, 'release_reason'),
  };
}
