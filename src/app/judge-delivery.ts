import { LetheError } from '../domain/errors.ts';
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

/** What a delivery says by itself. Of a ticket that has its request even what cannot be read is a change. */
export interface Reading {
  readonly verdict: Verdict;
  /** What it is where its ticket has a request. */
  readonly ofKnown?: Omit<Extract<Verdict, { kind: 'known_ticket' }>, 'requestId'>;
}

/**
 * Reads a delivery by its source's rules, as they are now.
 *
 * @throws LetheError MASTER_KEY_MISSING
 */
export function readDelivery(
  { vault, intake }: Pick<Deps, 'vault' | 'intake'>,
  delivery: HeldDelivery,
): Reading {
  const source = intake.sources.get(delivery.source);
  if (source === undefined) return unmappable(delivery, 'a source of this name in the configuration');
  const text = openedOr(vault, delivery);
  if (text === undefined) return unmappable(delivery, 'a body that the keys of the vault open');
  const body = parsed(text);
  if (body === undefined) return unmappable(delivery, 'one complete JSON value');
  const reference = referenceOf(source.rules, body);
  const ofKnown = (changed: readonly string[]): Pick<Reading, 'ofKnown'> =>
    reference === undefined
      ? {}
      : { ofKnown: { kind: 'known_ticket', delivery, reference, text, changed: [...new Set(changed)] } };
  if (!isRequest(source.rules, body))
    return { verdict: { kind: 'not_matching', delivery }, ...ofKnown(['condition']) };
  const mapping = mapTicket(source.rules, body);
  if (mapping.kind === 'mapped')
    return { verdict: { kind: 'request', delivery, source, text, ticket: mapping.ticket } };
  const { problems } = mapping;
  return { verdict: { kind: 'unmappable', delivery, problems }, ...ofKnown(problems.flatMap(nameOf)) };
}

/** What readings come to, with what is known of their tickets. Nothing is written. */
export async function judgeReadings(
  { store }: Pick<Deps, 'store'>,
  readings: readonly Reading[],
): Promise<readonly Verdict[]> {
  const asked = readings.flatMap(({ ofKnown }) =>
    ofKnown === undefined ? [] : [{ source: ofKnown.delivery.source, reference: ofKnown.reference }],
  );
  const known = new Map(
    (await store.listKnownTickets(asked)).map((one) => [`${one.source} ${one.reference}`, one.requestId]),
  );
  return readings.map(({ verdict, ofKnown }) => {
    const requestId = ofKnown && known.get(`${ofKnown.delivery.source} ${ofKnown.reference}`);
    return ofKnown === undefined || requestId === undefined ? verdict : { ...ofKnown, requestId };
  });
}

/** A row that was changed is shown to a person, and goes when its time is over. */
function openedOr(vault: Deps['vault'], { id, dataKey, bodySealed }: HeldDelivery): string | undefined {
  try {
    return vault.boxOf(dataKey).openText(id, bodySealed, 'delivery');
  } catch (error) {
    if (error instanceof LetheError && error.code === 'VAULT_UNREADABLE') return undefined;
    throw error;
  }
}

function unmappable(delivery: HeldDelivery, expected: string): Reading {
  const problems = [{ field: null, pointers: [], expected }];
  return { verdict: { kind: 'unmappable', delivery, problems } };
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
