import { LETHE, type EventDraft } from '../domain/events.ts';
import type { MappingProblem } from '../domain/ticket.ts';
import { acceptTicket, mappingProblems } from './accept-ticket.ts';
import { admitRequests } from './admit-requests.ts';
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

/** Ends deliveries that are no requests: they are counted, and nothing is kept of them. */
export async function dropDeliveries(
  { store }: Pick<Deps, 'store'>,
  deliveries: readonly HeldDelivery[],
): Promise<void> {
  await store.transaction((tx) => tx.endDeliveries(deliveries, 'not_matching'));
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

/** A ticket that can become a request, unless it has one. */
interface Candidate {
  readonly verdict: Requesting;
  readonly claim: TicketClaim;
  readonly accepted: Accepted;
}

/**
 * Makes requests of tickets that have none, in one transaction for all.
 *
 * @returns those of which none was made: that cannot be accepted, or have theirs; each is for takeDelivery
 */
export async function takeTickets(
  deps: Deps,
  verdicts: readonly Requesting[],
): Promise<readonly Requesting[]> {
  const candidates = new Map<string, Candidate>();
  for (const verdict of verdicts) {
    const name = `${verdict.source.name} ${verdict.ticket.reference}`;
    const candidate = candidates.has(name) ? undefined : candidateOf(deps, verdict);
    if (candidate !== undefined && !('problems' in candidate)) candidates.set(name, candidate);
  }
  if (candidates.size === 0) return verdicts;
  const taken = await deps.store.transaction((tx) => admit(tx, deps, [...candidates.values()]));
  if (taken.length > 0) deps.workIsDue();
  const done = new Set(taken.map(({ verdict }) => verdict));
  return verdicts.filter((verdict) => !done.has(verdict));
}

async function takeTicket(deps: Deps, verdict: Requesting): Promise<void> {
  const candidate = candidateOf(deps, verdict);
  if ('problems' in candidate) return noteProblems(deps, { ...verdict, problems: candidate.problems });
  const { delivery, source, ticket, text } = verdict;
  const seen = await deps.store.transaction(async (tx) => {
    const late = futureReceipt(candidate.accepted, tx.now);
    if (late.length > 0) return { problems: mappingProblems(source.rules, late) };
    if ((await admit(tx, deps, [candidate])).length > 0) return undefined;
    return tx.findKnownTicket(source.name, ticket.reference);
  });
  if (seen === undefined) deps.workIsDue();
  else if ('problems' in seen) await noteProblems(deps, { ...verdict, problems: seen.problems });
  else
    await noteChange(deps, {
      ...{ delivery, text, ticket, reference: ticket.reference },
      requestId: seen.requestId,
    });
}

function candidateOf(
  deps: Deps,
  verdict: Requesting,
): Candidate | { readonly problems: readonly MappingProblem[] } {
  const { delivery, source, ticket } = verdict;
  const accepted = acceptTicket(deps, source, { ticket, at: delivery.receivedAt });
  return 'problems' in accepted ? accepted : { verdict, accepted, claim: claimOf(deps, verdict) };
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

/** Makes requests of those whose ticket is not taken yet; waits for other transactions that take the same. */
async function admit(
  tx: Transaction,
  deps: Deps,
  candidates: readonly Candidate[],
): Promise<readonly Candidate[]> {
  const inTime = candidates.filter(({ accepted }) => futureReceipt(accepted, tx.now).length === 0);
  const claimed = await tx.claimTickets(inTime.map(({ claim }) => claim));
  const ours = inTime.filter(({ claim }) => claimed.has(claim.requestId));
  if (ours.length === 0) return [];
  const ended = await tx.endDeliveries(
    ours.map(({ verdict }) => verdict.delivery),
    'accepted',
  );
  // Work was somebody else's by now: all that this transaction wrote is undone.
  if (ended < ours.length) throw new Error('the lease of a delivery has ended');
  const submitters = new Map<string, string>();
  for (const { source } of ours.map(({ verdict }) => verdict)) {
    if (!submitters.has(source.name))
      submitters.set(source.name, await submitterFor(tx, deps, scopeOf(source)));
  }
  await admitRequests(
    tx,
    deps,
    ours.map(({ verdict: { source, delivery }, claim, accepted }) => ({
      ...{ id: claim.requestId, accepted, channel: 'webhook' },
      apiKeyId: submitters.get(source.name) ?? '',
      ticket: { source: source.name, deliveryId: delivery.id },
    })),
  );
  return ours;
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
