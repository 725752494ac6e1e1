import type { Quota, RateLimit } from '../domain/rate-limit.ts';
import { isExceeded } from '../domain/rate-limit.ts';
import type { Deps } from './ports.ts';
import type { RawDelivery, TicketSource } from './ports/intake.ts';

/** Calls of one address that were not signed as they should be. Good ones are taken in all the same. */
const WRONG_SIGNATURE_LIMIT: RateLimit = { requests: 60, perSeconds: 60 };

/** What became of a delivery. `quota` is that of the source, or, for a refused one, of refusals of its address. */
export type Receipt =
  | { readonly outcome: 'kept'; readonly id: string }
  | { readonly outcome: 'repeated' }
  | { readonly outcome: 'not_utf8' }
  | { readonly outcome: 'refused' | 'limited'; readonly by: 'source' | 'address'; readonly quota: Quota };

/**
 * Takes a delivery in: once it is `kept`, it is not lost, and a worker judges it. Nothing is read of the body before it is
 * known to be the source's. A replay is answered as what it repeats, since an honest sender that had no answer sends the
 * very same again.
 *
 * @param network the address that the call came from, or the network where it may change its address at will
 */
export async function receiveDelivery(
  deps: Pick<Deps, 'store' | 'vault' | 'newId' | 'connections' | 'workIsDue'>,
  source: TicketSource,
  { network, ...delivery }: RawDelivery & { readonly network: string },
): Promise<Receipt> {
  const authenticity = source.check(delivery);
  if (!authenticity.ok) return refused(deps, network);
  const text = utf8Of(delivery.body);
  if (text === undefined) return { outcome: 'not_utf8' };
  const quota = source.use();
  if (isExceeded(quota)) return { outcome: 'limited', by: 'source', quota };
  const id = deps.newId('wd');
  const dataKey = deps.vault.newDataKey(id);
  const [connection = ''] = deps.connections.keys();
  const kept = await deps.store.keepDelivery(
    {
      ...{ id, dataKey, connection, source: source.name },
      bodySealed: deps.vault.boxOf(dataKey).sealText(id, text, 'delivery'),
    },
    { scope: scopeOf(source), keys: authenticity.replayKeys },
  );
  if (!kept) return { outcome: 'repeated' };
  deps.workIsDue();
  return { outcome: 'kept', id };
}

/** What a source is called where other ways in have names, too. */
export function scopeOf({ name }: Pick<TicketSource, 'name'>): string {
  return `webhook:${name}`;
}

async function refused(deps: Pick<Deps, 'store' | 'vault'>, network: string): Promise<Receipt> {
  // Addresses are personal data too, and to count them their fingerprints do.
  const bucket = `unsigned_${Buffer.from(deps.vault.fingerprint(`webhook network\0${network}`)).toString('hex')}`;
  const quota = await deps.store.countUse(bucket, WRONG_SIGNATURE_LIMIT);
  return { outcome: isExceeded(quota) ? 'limited' : 'refused', by: 'address', quota };
}

function utf8Of(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}
