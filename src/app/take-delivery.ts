import { LETHE, type EventDraft } from '../domain/events.ts';
import type { MappingProblem } from '../domain/ticket.ts';
import { acceptTicket, mappingProblems } from './accept-ticket.ts';
import { admitRequest } from './admit-request.ts';
import type { Accepted } from './check-submission.ts';
import { encodeEvents } from './encode-events.ts';
import type { Verdict } from './judge-delivery.ts';
import { futureReceipt } from './plan-request.ts';
import type { Deps, Transaction } from './ports.ts';
import type { HeldDelivery, TicketClaim } from './ports/intake.ts';
import { scopeOf } from './receive-delivery.ts';
import { submitterFor } from './submitter-for.ts';
import { changedMarks, markOfBody, marksOf } from './ticket-marks.ts';

type Requesting = Extract<Verdict, { kind: 'request' }>;

/** Replay keys that are taken away at a time: as many as deliveries bring, and some of those before. */
const FORGOTTEN_AT_A_TIME = 200;

/** Ends deliveries that are no requests: they are counted, and nothing is kept of them. */
export async function dropDeliveries(
  { store }: Pick<Deps, 'store'>,
  deliveries: readonly HeldDelivery[],
): Promise<void> {
  await store.transaction((tx) => tx.endDeliveries(deliveries, 'not_matching'));
  await store.forgetReplayKeys(FORGOTTEN_AT_A_TIME);
}

/**
 * Carries a verdict out, in one transaction: a request with its events and work, an event of the ticket's request, or the
 * reason why the delivery cannot be mapped. Except in that case, nothing is kept of the delivery. Whoever has lost its lease
 * writes nothing.
 */
export async function takeDelivery(deps: Deps, verdict: Verdict): Promise<void> {
  switch (verdict.kind) {
    case 'request':
      return takeTicket(deps, verdict);
    case 'known_ticket':
      return noteChange(deps, verdict);
    case 'unmappable':
      return noteProblems(deps, verdict);
    case 'not_matching':
      return dropDeliveries(deps, [verdict.delivery]);
    default:
      return verdict satisfies never;
  }
}

async function takeTicket(deps: Deps, verdict: Requesting): Promise<void> {
  const { delivery, source, ticket } = verdict;
  const accepted = acceptTicket(deps, source, { ticket, at: delivery.receivedAt });
  if ('problems' in accepted) return noteProblems(deps, { ...verdict, problems: accepted.problems });
  const claim = claimOf(deps, verdict);
  const seen = await deps.store.transaction(async (tx) => {
    const late = futureReceipt(accepted, tx.now);
    if (late.length > 0) return { problems: mappingProblems(source.rules, late) };
    const known = await tx.claimTicket(claim);
    if (known !== undefined) return { requestId: known.requestId };
    await admit(tx, deps, { verdict, claim, accepted });
    return undefined;
  });
  if (seen === undefined) deps.workIsDue();
  else if ('problems' in seen) await noteProblems(deps, { ...verdict, problems: seen.problems });
  else {
    const { text } = verdict;
    await noteChange(deps, { delivery, text, reference: ticket.reference, ...seen, ticket });
  }
}

function claimOf(deps: Deps, { source, ticket, text }: Requesting): TicketClaim {
  return {
    source: source.name,
    reference: ticket.reference,
    requestId: deps.newId('er'),
    marks: marksOf(deps, ticket),
    body: markOfBody(deps, text),
  };
}

async function admit(
  tx: Transaction,
  deps: Deps,
  of: { verdict: Requesting; claim: TicketClaim; accepted: Accepted },
): Promise<void> {
  const { delivery, source } = of.verdict;
  // The work was somebody else's by now: all that this transaction wrote is undone.
  if ((await tx.endDeliveries([delivery], 'accepted')) === 0)
    throw new Error('the lease of a delivery has ended');
  await admitRequest(tx, deps, {
    id: of.claim.requestId,
    accepted: of.accepted,
    channel: 'webhook',
    apiKeyId: await submitterFor(tx, deps, scopeOf(source)),
    ticket: { source: source.name, deliveryId: delivery.id },
  });
}

interface Change {
  readonly delivery: HeldDelivery;
  readonly requestId: string;
  readonly reference: string;
  readonly text: string;
}

/** An event of the ticket's request, unless the ticket says the very same as the last time. */
async function noteChange(
  deps: Deps,
  of: Change & ({ readonly changed: readonly string[] } | { readonly ticket: Requesting['ticket'] }),
): Promise<void> {
  const { delivery, reference } = of;
  const { source } = delivery;
  const body = markOfBody(deps, of.text);
  await deps.store.withRequest(of.requestId, async (tx, scope) => {
    if (scope === undefined) throw new Error('a ticket without its request');
    if ((await tx.endDeliveries([delivery], 'known_ticket')) === 0) return;
    const known = await tx.findKnownTicket(source, reference);
    if (known === undefined || Buffer.from(known.lastBody).equals(body)) return;
    const changed = 'changed' in of ? of.changed : changedMarks(known.marks, marksOf(deps, of.ticket));
    await tx.noteTicketChange({ source, reference, body, changed });
    const draft: EventDraft = {
      type: 'request.ticket_changed',
      actor: LETHE,
      data: { source, delivery_id: delivery.id, changed },
    };
    const events = encodeEvents(deps, { request: scope.request, now: tx.now }, [draft]);
    await tx.write(scope.request.id, { events });
  });
}

/** Its body is kept for a while, so that it can be judged again; then nothing is. */
async function noteProblems(
  deps: Pick<Deps, 'store' | 'intake' | 'log'>,
  { delivery, problems }: { delivery: HeldDelivery; problems: readonly MappingProblem[] },
): Promise<void> {
  const keepMs = deps.intake.keepUnmappableMs - delivery.ageMs;
  await deps.store.transaction(async (tx) => {
    if (keepMs <= 0) await tx.endDeliveries([delivery], 'expired');
    else await tx.noteUnmappable(delivery, problems, keepMs);
  });
  const fields = { deliveryId: delivery.id, source: delivery.source };
  if (keepMs <= 0) deps.log.warn(fields, 'a delivery that could not be mapped is kept no longer');
  else if (delivery.state === 'received') deps.log.warn(fields, 'a delivery cannot be mapped');
}
