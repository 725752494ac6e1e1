import {
  isRequest,
  mapTicket,
  referenceOf,
  type MappedTicket,
  type MappingProblem,
} from '../domain/ticket.ts';
import type { Deps } from './ports.ts';
import type { HeldDelivery, TicketSource } from './ports/intake.ts';

/** What a delivery is found to be. */
export type Verdict =
  | {
      readonly kind: 'request';
      readonly delivery: HeldDelivery;
      readonly source: TicketSource;
      readonly ticket: MappedTicket;
      readonly text: string;
    }
  /** Tells something new of a ticket that has its request, which it would not be made of now. */
  | {
      readonly kind: 'known_ticket';
      readonly delivery: HeldDelivery;
      readonly requestId: string;
      readonly reference: string;
      /** What cannot be read any more; the condition where it does not hold. */
      readonly changed: readonly string[];
      readonly text: string;
    }
  | { readonly kind: 'not_matching'; readonly delivery: HeldDelivery }
  | {
      readonly kind: 'unmappable';
      readonly delivery: HeldDelivery;
      readonly problems: readonly MappingProblem[];
    };

/**
 * Judges a delivery by its source's rules, as they are now. Nothing is written.
 *
 * @throws LetheError VAULT_UNREADABLE, MASTER_KEY_MISSING
 */
export async function judgeDelivery(
  deps: Pick<Deps, 'store' | 'vault' | 'intake'>,
  delivery: HeldDelivery,
): Promise<Verdict> {
  const source = deps.intake.sources.get(delivery.source);
  if (source === undefined) return unmappable(delivery, 'a source of this name in the configuration');
  const text = deps.vault.boxOf(delivery.dataKey).openText(delivery.id, delivery.bodySealed, 'delivery');
  const body = parsed(text);
  if (body === undefined) return unmappable(delivery, 'one complete JSON value');
  if (!isRequest(source.rules, body)) {
    const known = await knownTicket(deps, { source, delivery, body, text }, ['condition']);
    return known ?? { kind: 'not_matching', delivery };
  }
  const mapping = mapTicket(source.rules, body);
  if (mapping.kind === 'mapped') return { kind: 'request', delivery, source, text, ticket: mapping.ticket };
  const { problems } = mapping;
  const known = await knownTicket(deps, { source, delivery, body, text }, problems.flatMap(nameOf));
  return known ?? { kind: 'unmappable', delivery, problems };
}

/** Of a ticket that has its request even what cannot be read is a change. */
async function knownTicket(
  { store }: Pick<Deps, 'store'>,
  of: { source: TicketSource; delivery: HeldDelivery; body: unknown; text: string },
  changed: readonly string[],
): Promise<Verdict | undefined> {
  const { source, delivery, text } = of;
  const reference = referenceOf(source.rules, of.body);
  if (reference === undefined) return undefined;
  const known = await store.findKnownTicket(source.name, reference);
  if (known === undefined) return undefined;
  const { requestId } = known;
  return { kind: 'known_ticket', delivery, requestId, reference, text, changed: [...new Set(changed)] };
}

function unmappable(delivery: HeldDelivery, expected: string): Verdict {
  return { kind: 'unmappable', delivery, problems: [{ field: null, pointers: [], expected }] };
}

function nameOf({ field }: MappingProblem): readonly string[] {
  if (field === null) return [];
  return field === 'userId' || field === 'email' ? ['subject'] : [field];
}

/** A value that is nested beyond all measure is no JSON value to us, either. */
function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
