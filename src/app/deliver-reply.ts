import { deliveryStep } from '../domain/delivery-step.ts';
import type { ErasureRequest } from '../domain/request.ts';
import type { Deps } from './ports.ts';
import type { TakenDelivery } from './ports/callbacks.ts';
import type { ReplyMoment, ReplyTarget } from './ports/notify.ts';

type Means = Pick<Deps, 'store' | 'replyTargets' | 'log'>;

const MOMENTS: Readonly<Record<string, ReplyMoment>> = {
  'request.received': 'accepted',
  'request.needs_attention': 'needsPerson',
  'request.completed': 'completed',
  'request.refused': 'refused',
};

interface Told {
  readonly request: ErasureRequest;
  readonly target: ReplyTarget;
  readonly ticket: string;
  readonly moment: ReplyMoment;
}

/**
 * Tells a ticket what became of its request, once, and writes what came of it under the delivery's lease. No ticket system
 * takes a comment only once, so the intent stands before the call; where one was left without a clear answer, the comment is
 * looked for before it would be made again. Nothing of the request waits for it.
 */
export async function deliverReply(deps: Means, delivery: TakenDelivery): Promise<void> {
  const told = await toldBy(deps, delivery);
  if (told === undefined) {
    await deps.store.transaction((tx) => tx.dropDelivery(delivery));
    return;
  }
  if (!(await deps.store.transaction((tx) => tx.intendReply(delivery)))) return;
  const begun = performance.now();
  const { outcome, status } = await told.target.reply({
    ticket: told.ticket,
    moment: told.moment,
    values: valuesOf(told.request, delivery),
    marker: `[lethe ${told.request.id} ${delivery.eventSeq ?? 0}]`,
    looksFirst: delivery.intendedAt !== null,
  });
  const attempt = { outcome, status, durationMs: Math.round(performance.now() - begun) };
  const step = deliveryStep(outcome, delivery.attempts);
  await deps.store.transaction((tx) => tx.settleDelivery({ delivery, attempt, step }));
  if (step.next !== 'delivered')
    deps.log.warn(
      { deliveryId: delivery.id, requestId: told.request.id, target: told.target.name, outcome, status },
      'a ticket could not be answered',
    );
}

/** Undefined where there is nobody to tell, or nothing. */
async function toldBy(deps: Means, { requestId, type }: TakenDelivery): Promise<Told | undefined> {
  const moment = MOMENTS[type];
  const scope = await deps.store.findScope(requestId ?? '');
  const reference = scope?.request.reference ?? null;
  if (scope === undefined || reference === null || moment === undefined) return undefined;
  for (const target of deps.replyTargets) {
    const ticket = target.ticketOf(reference);
    if (ticket !== undefined && target.tells(moment))
      return { request: scope.request, target, ticket, moment };
  }
  return undefined;
}

function valuesOf({ id, outcome, clock, extendedAt }: ErasureRequest, { type }: TakenDelivery) {
  const dueOn = extendedAt === null ? clock?.dueOn : clock?.extendedDueOn;
  return { requestId: id, state: type.replace('request.', ''), outcome, dueOn: dueOn ?? null };
}
