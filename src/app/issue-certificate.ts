import { encodeEvents } from './encode-events.ts';
import type { Deps } from './ports.ts';
import type { IssuedCertificate } from './ports/log.ts';

type Issuing = Pick<Deps, 'store' | 'encodeEvent' | 'ledger' | 'now'>;

interface Query {
  readonly requestId: string;
  readonly apiKeyId: string;
}

/**
 * The certificate of an erasure that was carried out and verified, with what shows that its events are in the log. That it was
 * issued, and to whom, is an event of the request: stored before the certificate is handed out.
 *
 * @returns the certificate as JSON, or undefined when there is no such request
 * @throws LetheError CERTIFICATE_NOT_READY, CERTIFICATE_REFUSED
 */
export async function issueCertificate(deps: Issuing, query: Query): Promise<object | undefined> {
  return issue(deps, query, ({ json }) => json);
}

/** As issueCertificate; the certificate as PDF. */
export async function printCertificate(deps: Issuing, query: Query): Promise<Uint8Array | undefined> {
  return issue(deps, query, (certificate) => certificate.print());
}

async function issue<T>(
  deps: Issuing,
  { requestId, apiKeyId }: Query,
  formOf: (certificate: IssuedCertificate) => T | Promise<T>,
): Promise<T | undefined> {
  const { store, certifier } = deps.ledger;
  const issued = await store.read(async (reader) => {
    const events = await reader.listTrail(requestId);
    if (events.length === 0) return undefined;
    const head = await reader.findHead();
    const leaves = events.flatMap(({ leaf }) => leaf ?? []);
    const tiles = head === undefined ? [] : await reader.listTiles(certifier.tilesFor(leaves, head.size));
    const certificate = certifier.certify({
      ...{ events, tiles, issuedAt: deps.now() },
      head: head ?? { size: 0, root: new Uint8Array(), note: '' },
    });
    return { certificate, size: head?.size ?? 0 };
  });
  if (issued === undefined) return undefined;
  // First: what cannot be made is not issued.
  const form = await formOf(issued.certificate);
  await deps.store.withRequest(requestId, async (tx, scope) => {
    if (scope === undefined) return;
    const draft = {
      type: 'certificate.issued',
      actor: { kind: 'api_key', id: apiKeyId },
      data: { checkpoint_size: issued.size },
    } as const;
    await tx.write(requestId, {
      events: encodeEvents(deps, { request: scope.request, now: tx.now }, [draft]),
    });
  });
  return form;
}
