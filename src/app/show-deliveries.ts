import type { DeliveryPage, DeliveryView, SourceList } from './delivery-schema.ts';
import type { Deps } from './ports.ts';
import type { Delivery, DeliveryFilter, SourceCounts } from './ports/intake.ts';

/** Deliveries that are not judged yet or cannot be mapped, newest first. */
export async function listDeliveries(
  deps: Pick<Deps, 'store' | 'intake'>,
  filter: DeliveryFilter,
): Promise<DeliveryPage> {
  const found = await deps.store.listDeliveries({ ...filter, limit: filter.limit + 1 });
  const items = found.slice(0, filter.limit).map((delivery) => viewOf(deps, delivery));
  return { items, nextCursor: found.length > filter.limit ? (items.at(-1)?.id ?? null) : null };
}

/**
 * Has a delivery judged again that cannot be mapped, by the mapping as the workers have it then.
 *
 * @returns it as it stood before; undefined when there is none with this id
 */
export async function judgeAgain(
  deps: Pick<Deps, 'store' | 'intake' | 'workIsDue'>,
  id: string,
): Promise<DeliveryView | undefined> {
  const [found] = await deps.store.listDeliveries({ id, limit: 1 });
  const told = await deps.store.transaction((tx) => tx.judgeAgain(id));
  if (told?.again === true) deps.workIsDue();
  return told && found && viewOf(deps, found);
}

const NOTHING: Omit<SourceCounts, 'source'> = {
  states: { received: 0, unmappable: 0 },
  outcomes: { accepted: 0, known_ticket: 0, not_matching: 0, expired: 0 },
};

/** Every source that is configured or was: what it delivered and what became of it. */
export async function listSources({ store, intake }: Pick<Deps, 'store' | 'intake'>): Promise<SourceList> {
  const counts = new Map((await store.countDeliveries()).map((one) => [one.source, one]));
  const names = [...new Set([...intake.sources.keys(), ...counts.keys()])];
  const items = names.map((name) => {
    const { states, outcomes } = counts.get(name) ?? NOTHING;
    return {
      name,
      kind: intake.sources.get(name)?.kind ?? null,
      waiting: states.received,
      unmappable: states.unmappable,
      accepted: outcomes.accepted,
      knownTicket: outcomes.known_ticket,
      notMatching: outcomes.not_matching,
      expired: outcomes.expired,
    };
  });
  return { items };
}

function viewOf({ intake }: Pick<Deps, 'intake'>, delivery: Delivery): DeliveryView {
  const { id, source, state, receivedAt, judgedAt, problems } = delivery;
  const keptUntil = new Date(receivedAt.getTime() + intake.keepUnmappableMs);
  return {
    ...{ id, source, state },
    receivedAt: receivedAt.toISOString(),
    judgedAt: judgedAt?.toISOString() ?? null,
    keptUntil: state === 'unmappable' ? keptUntil.toISOString() : null,
    problems: problems.map(({ field, pointers, expected }) => ({ field, pointers: [...pointers], expected })),
  };
}
